import { useNavigate } from '@tanstack/react-router';
import { ChevronRight, Filter, RotateCcw, Trash2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { matches } from '../lib/match';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { Modal } from '../ui/Modal';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';

type Row = Schemas['ExperimentRow'];
type Node = { path: string; label: string; depth: number; one?: Row; runs: number; created_us: number; updated_us: number; kids: boolean };

/** A slash in a name is a folder: "vision/resnet" lies below "vision". A folder counts what is below it. */
export function treeOf(rows: Row[], closed: (path: string) => boolean): Node[] {
  const byPath = new Map<string, Node>(); const kids = new Map<string, Set<string>>();
  for (const r of rows) {
    const parts = r.name.split('/'); let path = '';
    parts.forEach((part, i) => {
      const up = path; path = i ? `${path}/${part}` : part; const last = i === parts.length - 1;
      const n = byPath.get(path) ?? { path, label: part || '/', depth: i, runs: 0, created_us: 0, updated_us: 0, kids: false };
      n.runs += r.runs; n.updated_us = Math.max(n.updated_us, r.updated_us); n.created_us = Math.max(n.created_us, r.created_us); if (last) n.one = r; byPath.set(path, n);
      kids.set(up, (kids.get(up) ?? new Set()).add(path));
    });
  }
  const out: Node[] = [];
  // The root's key is "" as a leading slash's first part would be; such a part never asks for itself again.
  const walk = (up: string) => { for (const p of [...(kids.get(up) ?? [])].filter((x) => x !== up).sort((a, b) => a.localeCompare(b))) { const n = byPath.get(p)!; n.kids = (kids.get(p)?.size ?? 0) > 0 && p !== ''; out.push(n); if (n.kids && !closed(p)) walk(p); } };
  walk(''); return out;
}

export function ExperimentList() {
  const t = useT(); const f = useFmt(); const href = useHref(); const nav = useNavigate(); const [get, set] = useView(); const view = get('view') === 'deleted' ? 'deleted' : 'active';
  usePage([[t('Experiments', '실험')]], { cli: 'maru experiment list', curl: curl('/experiments') });
  const query = useApi<Schemas['ExperimentList']>(`/experiments?view=${view}`, { keep: true }); const [closed, setClosed] = useState(new Set<string>()); const [doomed, setDoomed] = useState<Row | null>(null);
  const remove = useChange<unknown, Row>((r) => ({ path: `/experiments/${encodeURIComponent(r.id)}`, method: 'DELETE' })); const restore = useChange<unknown, Row>((r) => ({ path: `/experiments/${encodeURIComponent(r.id)}/restore`, method: 'POST', body: {} }));
  const q = get('q'); const rows = useMemo(() => (query.data?.experiments ?? []).filter((r) => matches(r.name, q)), [query.data, q]); const tree = useMemo(() => treeOf(rows, (p) => closed.has(p) && !q), [rows, closed, q]);
  const fold = (p: string) => setClosed((s) => { const n = new Set(s); if (n.has(p)) n.delete(p); else n.add(p); return n; });
  const cols: Col<Node>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(180px, 1fr)', cell: (r) => <span className="tw" style={{ paddingLeft: r.depth * 20 }}>{r.kids ? <button className="fold" aria-expanded={!closed.has(r.path) || !!q} aria-label={`${r.path}/`} onClick={(e) => { e.stopPropagation(); fold(r.path); }}><ChevronRight size={13} /></button> : <span style={{ width: 20, flex: 'none' }} />}{r.one ? <A className="namelink m trunc" to={href('experiments', r.one.name)}>{r.label}</A> : <span className="t2 trunc">{r.label}/</span>}</span> },
    { id: 'r', head: t('Runs', '실행'), w: '90px', r: true, cell: (r) => <span className={r.one ? '' : 't3'}>{f.int(r.runs)}</span> },
    { id: 'c', head: t('Created', '생성'), w: '120px', r: true, cell: (r) => (r.one ? <span className="t3" title={f.iso(r.created_us)}>{f.ago(r.one.created_us)}</span> : null) },
    { id: 'u', head: t('Last run', '최근 실행'), w: '120px', r: true, cell: (r) => <span className="t3" title={f.iso(r.updated_us)}>{f.ago(r.updated_us)}</span> },
    { id: 'x', head: <span className="sr">{t('Actions', '동작')}</span>, w: '60px', r: true, cell: (r) => (r.one && r.one.id !== '0' ? view === 'active' ? <button className="btn ghost icon sm" aria-label={t(`Delete ${r.one.name}`, `${r.one.name} 삭제`)} onClick={(e) => { e.stopPropagation(); setDoomed(r.one!); }}><Trash2 size={13} /></button> : <button className="btn ghost icon sm" aria-label={t(`Restore ${r.one.name}`, `${r.one.name} 복원`)} onClick={(e) => { e.stopPropagation(); restore.mutate(r.one!); }}><RotateCcw size={13} /></button> : null) },
  ];
  const open = (k: string) => { const n = tree.find((x) => x.path === k); if (n?.one) void nav({ to: href('experiments', n.one.name) as '/' }); else if (n) fold(k); };
  const error = remove.error ?? restore.error;
  return (
    <Loaded query={query}>{(d) => (
      <div className="page fill"><div className="ph"><div className="grow"><h1>{t('Experiments', '실험')}</h1><div className="meta"><span>{t(`${d.experiments.length} experiments, ${f.int(d.experiments.reduce((a, r) => a + r.runs, 0))} runs`, `실험 ${d.experiments.length}개, 실행 ${f.int(d.experiments.reduce((a, r) => a + r.runs, 0))}개`)}</span></div></div></div>
        <div className="row wrap" style={{ flex: 'none' }}><label className="filter"><Filter size={13} /><span className="sr">{t('Filter', '거르기')}</span><input value={q} placeholder={t('Filter by name', '이름으로 거르기')} onChange={(e) => set({ q: e.target.value })} /><kbd>F</kbd></label><Seg label={t('Which experiments', '어떤 실험')} value={view} onChange={(v) => set({ view: v === 'deleted' ? v : null })} options={[['active', t('Kept', '보관')], ['deleted', t('Trash', '휴지통')]]} /></div>
        {error && <ErrorNote error={error} />}
        <Panel flush className="ex-list lst tree">{tree.length ? <DataGrid rows={tree} cols={cols} label={t('Experiments', '실험')} id={(r) => r.path} rowH={40} onPick={open} onOpen={open} /> : <Empty title={q ? t('No name matches', '맞는 이름이 없습니다') : view === 'deleted' ? t('The trash is empty', '휴지통이 비어 있습니다') : t('No experiment yet', '아직 실험이 없습니다')} text={t('Every training run is recorded with its parameters, metrics and files.', '모든 학습 실행이 매개변수·지표·파일과 함께 기록됩니다.')} command={q || view === 'deleted' ? undefined : 'maru run'} />}</Panel>
        <Modal open={!!doomed} onOpenChange={() => setDoomed(null)} title={t('Delete', '삭제')}>{doomed && <div className="col" style={{ padding: 18, gap: 12 }}><h2 className="fs16 b">{t(`Move ${doomed.name} to the trash?`, `${doomed.name} 실험을 휴지통으로 옮길까요?`)}</h2><p className="t2">{t(`Its ${f.int(doomed.runs)} runs go along; all of it can be restored until the trash is collected.`, `실행 ${f.int(doomed.runs)}개도 함께 옮겨지며, 휴지통을 비울 때까지 복원할 수 있습니다.`)}</p><div className="row" style={{ justifyContent: 'flex-end' }}><button className="btn" onClick={() => setDoomed(null)}>{t('Cancel', '취소')}</button><button className="btn danger" disabled={remove.isPending} onClick={() => remove.mutate(doomed, { onSettled: () => setDoomed(null) })}>{t('Move to trash', '휴지통으로')}</button></div></div>}</Modal>
      </div>
    )}</Loaded>
  );
}
