import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Pencil, RotateCcw, Trash2 } from 'lucide-react';
import { useMemo, useState, type ReactNode } from 'react';
import { api, num, type Schemas } from '../api/client';
import { useApi, useChange, useProject } from '../api/use';
import { Curves, type CurveView } from '../charts/Curves';
import { matches } from '../lib/match';
import { useHref, useView } from '../lib/nav';
import { runName, useChanges } from '../lib/runs';
import { metricLabel, stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { CopyBtn } from '../ui/CopyBtn';
import { CurveTools, useCurveView } from '../ui/CurveTools';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Lazy } from '../ui/Lazy';
import { Loaded } from '../ui/Loaded';
import { Markdown } from '../ui/Markdown';
import { Modal } from '../ui/Modal';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Tabs } from '../ui/Tabs';
import { Artifacts } from './Artifacts';

type Run = Schemas['ExperimentRunDetail'];
const NOTE = 'mlflow.note.content';
const MOST_ROWS = 300; // of a table; its search finds the others

export function ExperimentRun() {
  const { id, run } = useParams({ strict: false }) as { id: string; run: string }; const t = useT(); const href = useHref(); const project = useProject(); const client = useQueryClient(); const path = `/experiment-runs/${encodeURIComponent(run)}`;
  const query = useApi<Run>(path);
  useChanges([`run:${run}`], () => { void client.invalidateQueries({ queryKey: [project, path] }); void client.invalidateQueries({ queryKey: [project, 'curve', run] }); });
  usePage([[t('Experiments', '실험'), href('experiments')], [id, href('experiments', id)], [query.data?.name || run.slice(0, 8)]], { cli: `maru runs show ${run.slice(0, 8)}`, curl: curl(path) });
  return <Loaded query={query}>{(r) => <RunPage r={r} />}</Loaded>;
}

function RunPage({ r }: { r: Run }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const nav = useNavigate(); const [get, set] = useView(); const tab = get('tab', 'overview'); const [naming, setNaming] = useState(false), [name, setName] = useState(r.name), [sure, setSure] = useState(false);
  const edit = useChange<Run, Schemas['RunEdit']>((body) => ({ path: `/experiment-runs/${r.id}`, method: 'PATCH', body }));
  const remove = useChange<unknown>(() => ({ path: `/experiment-runs/${r.id}`, method: 'DELETE' })); const restore = useChange<unknown>(() => ({ path: `/experiment-runs/${r.id}/restore`, method: 'POST', body: {} }));
  const error = edit.error ?? remove.error ?? restore.error; const parent = r.tags['mlflow.parentRunId']; const system = r.metric_keys.filter((k) => k.startsWith('system/')), own = r.metric_keys.filter((k) => !k.startsWith('system/'));
  const tabs: [string, ReactNode][] = [['overview', t('Overview', '개요')], ['metrics', <>{t('Metric charts', '지표 그래프')} <span className="badge">{own.length}</span></>], ...(system.length ? [['system', <>{t('System', '시스템')} <span className="badge">{system.length}</span></>] as [string, ReactNode]] : []), ['artifacts', <>{t('Files', '파일')} <span className="badge">{r.artifacts.length}</span></>]];
  return (
    <div className="page">
      <div className="ph"><div className="grow"><h1>{runName(r)}<Chip s={stateOf(r.status)}>{stateWord(t, r.status)}</Chip>{r.state === 'deleted' && <Chip s="warn">{t('In the trash', '휴지통')}</Chip>}{r.model_version && <A to={href('models', `${r.model_version.model}@${r.model_version.version}`)}><Chip s="alias" className={r.model_version.aliases.length ? '' : 'soft'}>{r.model_version.model} v{r.model_version.version}</Chip></A>}</h1>
        <div className="meta"><span title={f.iso(r.start_us)}>{f.date(r.start_us)}</span>{r.end_us > 0 && <span className="num">{f.dur((r.end_us - r.start_us) / 1e6)}</span>}{r.user && <span>{r.user}</span>}{r.source && <span>{r.source}</span>}{parent && <A className="link" to={href('experiments', r.experiment.name, 'runs', parent)}>{t('part of', '상위 실행')} {parent.slice(0, 8)}</A>}<span className="row gap1"><code>{r.id}</code><CopyBtn text={r.id} /></span></div></div>
        <div className="acts">{r.state === 'deleted' ? <button className="btn" disabled={restore.isPending} onClick={() => restore.mutate()}><RotateCcw size={13} />{t('Restore', '복원')}</button> : <><button className="btn" onClick={() => { setName(r.name); setNaming(true); }}><Pencil size={13} />{t('Rename', '이름 바꾸기')}</button><button className="btn danger" onClick={() => setSure(true)}><Trash2 size={13} />{t('Delete', '삭제')}</button></>}</div></div>
      {error && <ErrorNote error={error} />}
      <Tabs label={t('Parts of the run', '실행의 부분')} value={tab} onChange={(v) => set({ tab: v === 'overview' ? null : v })} items={tabs} />
      {tab === 'metrics' ? <Wall run={r.id} keys={own} /> : tab === 'system' ? <Wall run={r.id} keys={system} /> : tab === 'artifacts' ? <Artifacts run={r.id} files={r.artifacts} /> : <Overview r={r} save={(tags) => edit.mutateAsync({ tags })} saving={edit.isPending} />}
      <Modal open={naming} onOpenChange={setNaming} title={t('Rename', '이름 바꾸기')}><form className="col" style={{ padding: 18, gap: 12 }} onSubmit={(e) => { e.preventDefault(); edit.mutate({ name }, { onSettled: () => setNaming(false) }); }}><div className="field"><label htmlFor="run-name">{t('Name of the run', '실행 이름')}</label><input id="run-name" className="input" value={name} maxLength={250} onChange={(e) => setName(e.target.value)} /></div><div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={() => setNaming(false)}>{t('Cancel', '취소')}</button><button className="btn primary" disabled={!name.trim() || edit.isPending}>{t('Rename', '이름 바꾸기')}</button></div></form></Modal>
      <Modal open={sure} onOpenChange={setSure} title={t('Delete', '삭제')}><div className="col" style={{ padding: 18, gap: 12 }}><h2 className="fs16 b">{t(`Move ${runName(r)} to the trash?`, `${runName(r)} 실행을 휴지통으로 옮길까요?`)}</h2><p className="t2">{t('Its metrics and files stay until the trash is collected; until then it can be restored.', '지표와 파일은 휴지통을 비울 때까지 남아 있으며, 그때까지 복원할 수 있습니다.')}</p><div className="row" style={{ justifyContent: 'flex-end' }}><button className="btn" onClick={() => setSure(false)}>{t('Cancel', '취소')}</button><button className="btn danger" disabled={remove.isPending} onClick={() => remove.mutate(undefined, { onSuccess: () => void nav({ to: href('experiments', r.experiment.name) as '/' }), onSettled: () => setSure(false) })}>{t('Move to trash', '휴지통으로')}</button></div></div></Modal>
    </div>
  );
}

function Overview({ r, save, saving }: { r: Run; save(tags: Record<string, string | null>): Promise<unknown>; saving: boolean }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const tags = Object.entries(r.tags).filter(([k]) => k !== NOTE && !k.startsWith('mlflow.log-model')); const [key, setKey] = useState(''), [value, setValue] = useState('');
  return (
    <div className="grid12">
      <div className="c6 m12 stack">
      <Facts title={t('Metrics', '지표')} rows={Object.entries(r.metrics).map(([k, v]) => [k, num(v) == null ? String(v) : f.sig(v, 6)])} right none={t('No metric was logged.', '기록된 지표가 없습니다.')} label={(k) => metricLabel(t, k)} />
      <Note r={r} save={save} saving={saving} />
      </div>
      <div className="c6 m12 stack">
      <Facts title={t('Parameters', '매개변수')} rows={Object.entries(r.params)} none={t('No parameter was logged.', '기록된 매개변수가 없습니다.')} />
      <Panel title={t('Data and models', '데이터와 모델')} flush>
        {r.datasets.length + r.models.length + (r.model_version ? 1 : 0) === 0 && <p className="t3 pad14">{t('The run names neither data nor models.', '실행에 데이터와 모델이 적혀 있지 않습니다.')}</p>}
        <div className="list">
          {r.datasets.map((d) => <div className="lr" key={d.name + d.digest + d.context}><div className="grow" style={{ minWidth: 0 }}><div className="row gap1"><A className="namelink m trunc" to={href('data', d.name)}>{d.name}</A>{d.context && <Chip s="plain">{d.context}</Chip>}</div><div className="t3 fs12 mono trunc" title={d.source}>{d.digest} · {d.source_type || d.source}</div></div></div>)}
          {r.models.map((m) => <div className="lr" key={m.direction + m.id}><div className="grow" style={{ minWidth: 0 }}><div className="row gap1"><span className="m trunc">{m.name || m.id}</span><Chip s="plain">{m.direction === 'in' ? t('read', '사용') : t('made', '생성')}</Chip></div><div className="t3 fs12 mono trunc">{m.id}{m.type && ` · ${m.type}`}</div></div></div>)}
          {r.model_version && <div className="lr"><A className="namelink m" to={href('models', `${r.model_version.model}@${r.model_version.version}`)}>{r.model_version.model} v{r.model_version.version}</A>{r.model_version.aliases.map((a) => <Chip key={a} s="alias">@{a}</Chip>)}</div>}
        </div></Panel>
      </div>
      <Facts className="c12" title={t('Tags', '태그')} rows={tags} none={t('No tag.', '태그가 없습니다.')} remove={r.state === 'active' ? (k) => void save({ [k]: null }) : undefined}>
        {r.state === 'active' && <form className="row wrap" style={{ padding: '8px 14px 12px' }} onSubmit={(e) => { e.preventDefault(); void save({ [key.trim()]: value }).then(() => { setKey(''); setValue(''); }); }}><input className="input" style={{ width: 180 }} aria-label={t('Tag', '태그')} placeholder={t('Tag', '태그')} value={key} onChange={(e) => setKey(e.target.value)} /><input className="input" style={{ width: 240 }} aria-label={t('Value', '값')} placeholder={t('Value', '값')} value={value} onChange={(e) => setValue(e.target.value)} /><button className="btn" disabled={!key.trim() || saving}>{t('Add', '추가')}</button></form>}
      </Facts>
    </div>
  );
}

/** Keys and values with a search. */
function Facts({ title, rows, right, none, label, remove, className, children }: { title: string; rows: [string, string][]; right?: boolean; none: string; label?(k: string): string; remove?(k: string): void; className?: string; children?: ReactNode }) {
  const t = useT(); const f = useFmt(); const [q, setQ] = useState(''); const all = useMemo(() => [...rows].sort(([a], [b]) => a.localeCompare(b)), [rows]); const found = all.filter(([k, v]) => matches(k, q) || matches(v, q));
  return (
    <Panel className={`${className ?? ''} top-align`} title={title} right={<>{rows.length > 8 && <input className="input" style={{ height: 26, width: 150 }} value={q} placeholder={t('Search', '찾기')} aria-label={`${title}: ${t('Search', '찾기')}`} onChange={(e) => setQ(e.target.value)} />}<span className="t3 fs12 num">{f.int(found.length)}</span></>} flush>
      {rows.length ? <div className="tscroll tall" tabIndex={0}><table className="tb"><tbody>{found.slice(0, MOST_ROWS).map(([k, v]) => <tr key={k}><td className={label ? 't2' : 'mono fs12'} title={k} style={{ overflowWrap: 'anywhere' }}>{label ? label(k) : k}</td><td className={right ? 'r m num' : ''} style={{ overflowWrap: 'anywhere' }}>{v}</td>{remove && <td className="r" style={{ width: 40 }}><button className="btn ghost icon sm" aria-label={t(`Remove ${k}`, `${k} 삭제`)} onClick={() => remove(k)}><Trash2 size={12} /></button></td>}</tr>)}</tbody></table>{found.length > MOST_ROWS && <p className="t3 fs12 pad14">{t(`${found.length - MOST_ROWS} more: search`, `${found.length - MOST_ROWS}개 더: 찾기로 좁히십시오`)}</p>}</div> : <p className="t3 pad14">{none}</p>}{children}
    </Panel>
  );
}

function Note({ r, save, saving }: { r: Run; save(tags: Record<string, string | null>): Promise<unknown>; saving: boolean }) {
  const t = useT(); const text = r.tags[NOTE] ?? ''; const [draft, setDraft] = useState<string | null>(null);
  return (
    <Panel title={t('Notes', '메모')} hint="Markdown" right={draft == null && r.state === 'active' && <button className="btn sm ghost" onClick={() => setDraft(text)}><Pencil size={12} />{t('Edit', '편집')}</button>}>
      {draft == null ? (text ? <Markdown text={text} /> : <p className="t3">{t('Nothing written yet.', '아직 적은 것이 없습니다.')}</p>) : <form className="col" style={{ gap: 8 }} onSubmit={(e) => { e.preventDefault(); void save({ [NOTE]: draft }).then(() => setDraft(null)); }}><textarea className="input mono fs12" style={{ height: 180, padding: 9, resize: 'vertical' }} aria-label={t('Notes', '메모')} value={draft} onChange={(e) => setDraft(e.target.value)} /><div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn sm" onClick={() => setDraft(null)}>{t('Cancel', '취소')}</button><button className="btn sm primary" disabled={saving}>{t('Save', '저장')}</button></div></form>}
    </Panel>
  );
}

function Wall({ run, keys }: { run: string; keys: string[] }) {
  const t = useT(); const view = useCurveView(); const [get, set] = useView(); const q = get('m'); const found = keys.filter((k) => matches(k, q));
  if (!keys.length) return <Panel><Empty title={t('No metric', '지표가 없습니다')} text={t('Curves appear as soon as a metric is logged.', '지표가 기록되면 곡선이 나타납니다.')} command="mlflow.log_metric('loss', 0.1, step=1)" /></Panel>;
  return <><div className="row wrap" style={{ justifyContent: 'space-between' }}><CurveTools />{keys.length > 6 && <input className="input" style={{ width: 220 }} value={q} placeholder={t('Search metrics', '지표 찾기')} aria-label={t('Search metrics', '지표 찾기')} onChange={(e) => set({ m: e.target.value })} />}</div>
    <div className="wall">{found.map((k) => <Lazy key={k} height={222}>{() => <Curve run={run} metric={k} view={view} />}</Lazy>)}</div></>;
}

function Curve({ run, metric, view }: { run: string; metric: string; view: CurveView }) {
  const t = useT(); const f = useFmt(); const project = useProject();
  const q = useQuery<Schemas['MetricSamples']>({ queryKey: [project, 'curve', run, metric], queryFn: () => api('/metric-samples', project, { method: 'POST', body: { runs: [run], keys: [metric], points: 600 } }) });
  const curves = useMemo(() => q.data?.series.map((s) => ({ ...s, label: metric, color: 'var(--c1)' })) ?? [], [q.data, metric]); const n = curves[0]?.steps.length ?? 0; const last = curves[0]?.values.at(-1);
  return <Panel title={<span title={metric}>{metricLabel(t, metric)}</span>} hint={<span className="num">{num(last) == null ? String(last ?? '') : f.sig(last, 5)}</span>}>{q.error ? <ErrorNote error={q.error} retry={() => void q.refetch()} /> : n > 1 ? <Curves label={t(`${metric} by step`, `단계별 ${metric}`)} curves={curves} view={view} height={160} sync={'run' + run} /> : n === 1 ? <p className="num" style={{ fontSize: 26, padding: '44px 0', textAlign: 'center' }}>{f.sig(num(last) ?? last, 6)}</p> : null}</Panel>;
}
