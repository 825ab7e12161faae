import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Columns3, GitCompareArrows, Link2, RotateCcw, Star, Trash2 } from 'lucide-react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { ApiError, api, num, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { DASH, SERIES } from '../charts/base';
import { isFilter } from '../lib/filter';
import { useHref, useView } from '../lib/nav';
import { fieldOf, pickDefault, runName, sortOf, useChanges, useExperimentKey, useRunRows, type RunRow } from '../lib/runs';
import { lowerIsBetter, metricLabel, stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { FilterBox } from '../ui/FilterBox';
import { Modal } from '../ui/Modal';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Picker } from '../ui/Picker';
import { RunsOrTraces } from '../ui/RunsOrTraces';
import { Seg } from '../ui/Seg';
import { Sheet, type SheetCol } from '../ui/Sheet';
import { Skeleton } from '../ui/Skeleton';
import { StatusIcon } from '../ui/StatusIcon';
import { ComparePanel } from './ComparePanel';

const SIDE = 8; // curves beside the table; more go to the comparison
const NONE: Schemas['RunKeys'] = { metrics: [], params: [], tags: [] };

export function Experiment() {
  const { id } = useParams({ strict: false }) as { id: string }; const { key, error } = useExperimentKey(id); const keys = useApi<Schemas['RunKeys']>(key ? `/experiments/${encodeURIComponent(key)}/keys` : null);
  const t = useT(); const href = useHref();
  usePage([[t('Experiments', '실험'), href('experiments')], [id]], { cli: `maru runs list ${id}`, curl: curl(`/experiments/${encodeURIComponent(id)}/runs`) });
  const fault = error ?? keys.error;
  if (fault && !keys.data) return <div className="page"><h1 className="sr">{id}</h1><ErrorNote error={fault} retry={() => void keys.refetch()} /></div>;
  return keys.data && key ? <Table key={id} name={id} at={key} keys={keys.data} /> : <Skeleton />;
}

function Table({ name, at, keys }: { name: string; at: string; keys: Schemas['RunKeys'] }) {
  const t = useT(); const f = useFmt(); const nav = useNavigate(); const href = useHref(); const project = useProject(); const client = useQueryClient(); const [get, set] = useView();
  const sort = get('sort', '-start_us'), text = get('q'), view = get('view') === 'deleted' ? 'deleted' : 'active'; const desc = sort.startsWith('-'); const order = desc ? sort.slice(1) : sort;
  const cols = get('cols'); const shown = useMemo(() => (cols ? (cols === '-' ? [] : cols.split(',').map(decodeURIComponent)) : pickDefault(keys.metrics, keys.params)), [cols, keys]);
  const fields = ['tags.mlflow.parentRunId', ...shown.map(fieldOf)].map((k) => encodeURIComponent(k)).join(',');
  const asked = text.trim() ? (isFilter(text) ? `&filter=${encodeURIComponent(text)}` : `&q=${encodeURIComponent(text.trim())}`) : '';
  const path = `/experiments/${encodeURIComponent(at)}/runs?order_by=${encodeURIComponent(order)}&desc=${desc ? 1 : 0}&view=${view}${asked}&fields=${fields}`;
  const [range, setRange] = useState<[number, number]>([0, 0]); const onRange = useCallback((a: number, z: number) => setRange((old) => (old[0] === a && old[1] === z ? old : [a, z])), []);
  const { first, row, loaded } = useRunRows(path, range); const page = first.data; const total = page?.total ?? 0;
  useChanges(page ? [`experiment:${page.experiment.id}`] : [], () => void client.invalidateQueries({ queryKey: [project, 'rows'] }));
  const [sel, setSel] = useState(() => new Set(get('sel').split(',').filter(Boolean))); const picked = [...sel];
  const select = useCallback((s: Set<string>) => setSel(s), []);
  const ticked = picked.slice(0, 40).join(','); const there = get('sel');
  useEffect(() => { if (ticked !== there) set({ sel: ticked }); }, [ticked]); // eslint-disable-line react-hooks/exhaustive-deps
  const color = (k: string) => SERIES[picked.indexOf(k) % SERIES.length]; const dash = (k: string) => DASH[picked.indexOf(k) % DASH.length];
  const goal = shown.find((k) => k.startsWith('m:'))?.slice(2) ?? ''; const best = useBest(at, goal, asked, view, total > 1);
  const [busy, setBusy] = useState(false), [fault, setFault] = useState<Error | null>(null), [sure, setSure] = useState(false), [copied, setCopied] = useState(false);
  const act = async (what: 'DELETE' | 'RESTORE') => {
    setBusy(true); setFault(null);
    try { for (const k of picked) await api(`/experiment-runs/${k}${what === 'RESTORE' ? '/restore' : ''}`, project, { method: what === 'RESTORE' ? 'POST' : 'DELETE' }); setSel(new Set()); } catch (e) { setFault(e as Error); }
    setBusy(false); setSure(false); void client.invalidateQueries({ queryKey: [project] });
  };
  const open = (k: string) => void nav({ to: href('experiments', name, 'runs', k) as '/' });
  const lead: SheetCol<RunRow> = { id: 'name', head: t('Run', '실행'), px: 250, sorts: true, cell: (r) => <span className="row" style={{ gap: 8 }}><i className="sw box" style={{ background: sel.has(r.id) ? color(r.id) : 'var(--line-2)' }} />{r.tags['mlflow.parentRunId'] && <span className="t3" title={t('part of another run', '다른 실행의 일부')}>↳</span>}<A className="namelink trunc" to={href('experiments', name, 'runs', r.id)}>{runName(r)}</A>{best != null && r.id === best.id && <Star size={12} fill="currentColor" className="warn" aria-label={t('best', '최고')} />}{r.model_version && <Chip s="alias" className={r.model_version.aliases.length ? '' : 'soft'}>v{r.model_version.version}</Chip>}</span> };
  const columns = useMemo((): SheetCol<RunRow>[] => [
    { id: 'status', head: t('State', '상태'), px: 112, sorts: true, cell: (r) => <span className="row gap1"><StatusIcon s={stateOf(r.status)} size={13} />{stateWord(t, r.status)}</span> },
    ...shown.map((k): SheetCol<RunRow> => { const key = k.slice(2); return k.startsWith('m:') ? { id: sortOf(k), head: metricLabel(t, key), title: key, px: Math.max(104, Math.min(190, 46 + metricLabel(t, key).length * 7)), r: true, sorts: true, cell: (r) => { const v = num(r.metrics[key]); return <span title={String(r.metrics[key] ?? '')}>{v == null ? (r.metrics[key] ? String(r.metrics[key]) : '–') : Math.abs(v) >= 1000 || (v !== 0 && Math.abs(v) < 1e-3) ? f.sig(v, 5) : f.fix(v, 4)}</span>; } } : { id: sortOf(k), head: key, title: key, px: Math.max(110, Math.min(200, 46 + key.length * 7)), sorts: true, cell: (r) => { const v = (k.startsWith('p:') ? r.params : r.tags)[key]; return <span className={v == null ? 't3' : 't2'} title={v}>{v ?? '–'}</span>; } }; }),
    { id: 'start_us', head: t('When', '시각'), px: 116, r: true, sorts: true, cell: (r) => <span className="t3" title={f.iso(r.start_us)}>{f.ago(r.start_us)}</span> },
    { id: 'dur', head: t('Time', '시간'), px: 92, r: true, cell: (r) => <span className="t2">{f.dur(r.end_us ? (r.end_us - r.start_us) / 1e6 : null)}</span> },
  ], [shown, t, f]);
  const refused = first.error instanceof ApiError && first.error.status === 400 && asked ? first.error : null;
  const groups = [{ label: t('Metrics', '지표'), items: keys.metrics.map((k) => ['m:' + k, k] as [string, string]) }, { label: t('Parameters', '매개변수'), items: keys.params.map((k) => ['p:' + k, k] as [string, string]) }, { label: t('Tags', '태그'), items: keys.tags.map((k) => ['t:' + k, k] as [string, string]) }];
  const put = (next: string[]) => set({ cols: next.length ? next.map(encodeURIComponent).join(',') : '-' });
  const chosen = loaded().filter((r) => sel.has(r.id)).slice(0, SIDE); const side = chosen.length > 0 && view === 'active' && get('side') !== '0';
  const compare = (many?: boolean) => { const q = many ? `?top=${Math.min(500, total)}&sort=${encodeURIComponent(sort)}${text ? `&q=${encodeURIComponent(text)}` : ''}` : `?runs=${picked.slice(0, 500).join(',')}`; void nav({ href: href('experiments', name, 'compare') + q } as never); };
  const fault1 = fault ?? (first.error && !refused ? first.error : null);
  return (
    <div className="page fill ex">
      <div className="ph"><div className="grow"><h1>{name}</h1><div className="meta"><span><b className="num" data-testid="total">{f.int(total)}</b> {text ? t('runs match', '실행이 맞음') : view === 'deleted' ? t('runs in the trash', '실행이 휴지통에 있음') : t('runs', '실행')}</span>{best && <span>{t('best', '최고')} {metricLabel(t, goal)} <b className="num">{f.sig(num(best.metrics[goal]), 5)}</b> · <A className="link under" to={href('experiments', name, 'runs', best.id)}>{runName(best)}</A></span>}</div></div>
        <div className="acts"><RunsOrTraces name={name} at="runs" /><button className="btn" onClick={() => { void navigator.clipboard?.writeText(location.href).then(() => { setCopied(true); setTimeout(() => setCopied(false), 1500); }); }}><Link2 size={14} />{copied ? t('Copied', '복사됨') : t('Link to this view', '이 보기의 링크')}</button>{total > 1 && <button className="btn" onClick={() => compare(true)}><GitCompareArrows size={14} />{t(`Compare ${total > 500 ? 'first 500' : 'all ' + total}`, `${total > 500 ? '앞의 500개' : total + '개'} 비교`)}</button>}</div></div>
      <div className="row wrap top-align" style={{ gap: 8 }}><FilterBox value={text} onChange={(v) => set({ q: v })} keys={keys} error={refused} />
        <Seg label={t('Which runs', '어떤 실행')} value={view} onChange={(v) => { setSel(new Set()); set({ view: v === 'deleted' ? v : null }); }} options={[['active', t('Kept', '보관')], ['deleted', t('Trash', '휴지통')]]} />
        <Picker label={t('Columns', '열')} icon={<Columns3 size={14} />} groups={groups} value={shown} onChange={put} /></div>
      {fault1 && <ErrorNote error={fault1} retry={() => void first.refetch()} />}
      {sel.size > 0 && <div className="bar-sel" role="status"><b className="num">{f.int(sel.size)}</b> {t('selected', '선택됨')}<span className="grow" />{view === 'active' ? <><button className="btn sm primary" disabled={sel.size < 2 || sel.size > 500} onClick={() => compare()}><GitCompareArrows size={13} />{t('Compare', '비교')}</button><button className="btn sm danger" disabled={busy} onClick={() => setSure(true)}><Trash2 size={13} />{t('Move to trash', '휴지통으로')}</button></> : <button className="btn sm" disabled={busy} onClick={() => void act('RESTORE')}><RotateCcw size={13} />{t('Restore', '복원')}</button>}<button className="btn sm ghost" onClick={() => setSel(new Set())}>{t('Clear', '지우기')}</button></div>}
      <div className={side ? 'ex-split' : 'col grow'} style={side ? undefined : { minHeight: 0, paddingBottom: 16 }}>
        <Panel flush className="ex-list lst">{page && total > 0 ? <Sheet count={total} row={row} id={(r) => r.id} first={lead} cols={columns} label={t('Runs', '실행')} sort={[order, desc ? -1 : 1]} onSort={(c, d) => set({ sort: (d === -1 ? '-' : '') + c })} sel={sel} onSel={select} onOpen={open} onRange={onRange} /> : page ? <Empty title={text ? t('No run matches', '맞는 실행이 없습니다') : view === 'deleted' ? t('The trash is empty', '휴지통이 비어 있습니다') : t('No run here', '실행이 없습니다')} text={text ? t('Take a part of the filter away.', '거르기의 일부를 지워 보십시오.') : view === 'deleted' ? t('Deleted runs wait here until they are collected.', '지운 실행은 수거될 때까지 여기에 남습니다.') : t('Runs appear as soon as one is logged.', '실행이 기록되면 바로 나타납니다.')} command={text || view === 'deleted' ? undefined : `MLFLOW_TRACKING_URI=${location.origin} python train.py`} /> : <Skeleton />}</Panel>
        {side && <div className="ex-side"><ComparePanel runs={chosen} experiment={name} color={color} dash={dash} metrics={shown.filter((k) => k.startsWith('m:')).map((k) => k.slice(2))} /></div>}
      </div>
      <Modal open={sure} onOpenChange={setSure} title={t('Move to trash', '휴지통으로')}><div className="col" style={{ padding: 18, gap: 12 }}><h2 className="fs16 b">{t(`Move ${sel.size} runs to the trash?`, `실행 ${sel.size}개를 휴지통으로 옮길까요?`)}</h2><p className="t2">{t('Their metrics and files stay until the trash is collected; until then they can be restored.', '지표와 파일은 휴지통을 비울 때까지 남아 있으며, 그때까지 복원할 수 있습니다.')}</p><div className="row" style={{ justifyContent: 'flex-end' }}><button className="btn" onClick={() => setSure(false)}>{t('Cancel', '취소')}</button><button className="btn danger" disabled={busy} onClick={() => void act('DELETE')}>{t('Move to trash', '휴지통으로')}</button></div></div></Modal>
    </div>
  );
}

/** The best run of the whole list by the first metric that is shown: one row asked of the server. */
function useBest(name: string, goal: string, asked: string, view: string, on: boolean): RunRow | null {
  const q = useApi<Schemas['ExperimentRuns']>(on && goal ? `/experiments/${encodeURIComponent(name)}/runs?order_by=${encodeURIComponent('metric:' + goal)}&desc=${lowerIsBetter(goal) ? 0 : 1}&view=${view}${asked}&limit=1&fields=${encodeURIComponent('metrics.' + goal)}` : null, { keep: true });
  const r = q.data?.runs[0]; return on && goal && r && num(r.metrics[goal]) != null ? r : null;
}
