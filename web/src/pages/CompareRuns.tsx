import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { Spline, X } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { api, num, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { DASH, SERIES } from '../charts/base';
import { Confusion } from '../charts/Confusion';
import { Curves } from '../charts/Curves';
import { Parallel } from '../charts/Parallel';
import { XY } from '../charts/XY';
import { kindOf, typeOf } from '../lib/artifact';
import { readReport, type Report } from '../lib/evaluation';
import { isFilter } from '../lib/filter';
import { useHref, useView } from '../lib/nav';
import { artifactUrl, runName, useChanges, useExperimentKey } from '../lib/runs';
import { lowerIsBetter, metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { CurveTools, useCurveView } from '../ui/CurveTools';
import { Empty } from '../ui/Empty';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Picker } from '../ui/Picker';
import { Seg } from '../ui/Seg';
import { Sheet, type SheetCol } from '../ui/Sheet';

type Run = Schemas['ComparedRun'];
const MOST = 500, CURVES = 60, REPORTS = 8;

export function CompareRuns() {
  const { id } = useParams({ strict: false }) as { id: string }; const t = useT(); const href = useHref(); const project = useProject(); const [get, set] = useView();
  const { key: key0 } = useExperimentKey(id); const top = Math.min(MOST, +get('top') || 0); const sort = get('sort', '-start_us'), q = get('q'); const given = get('runs').split(',').filter(Boolean).slice(0, MOST);
  const list = useApi<Schemas['ExperimentRuns']>(top && key0 ? `/experiments/${encodeURIComponent(key0)}/runs?order_by=${encodeURIComponent(sort.replace(/^-/, ''))}&desc=${sort.startsWith('-') ? 1 : 0}&limit=${top}&fields=tags.none${q ? (isFilter(q) ? '&filter=' : '&q=') + encodeURIComponent(q) : ''}` : null);
  const ids = top ? list.data?.runs.map((r) => r.id) ?? [] : given; const key = ids.join();
  const query = useQuery<Schemas['RunComparison']>({ queryKey: [project, 'comparison', key], enabled: ids.length > 0, queryFn: () => api('/run-comparisons', project, { method: 'POST', body: { runs: ids } }), placeholderData: (old) => old });
  useChanges(ids.slice(0, 24).map((r) => `run:${r}`), () => void query.refetch());
  usePage([[t('Experiments', '실험'), href('experiments')], [id, href('experiments', id)], [t('Compare', '비교')]], { cli: `maru runs list ${id}`, curl: curl('/run-comparisons') });
  if (!ids.length && !(top && list.isPending)) return <div className="page"><h1>{t('Compare', '비교')}</h1><Panel><Empty title={t('No run is chosen', '고른 실행이 없습니다')} text={t('Tick runs in the table of an experiment, then Compare.', '실험의 표에서 실행을 고른 뒤 비교를 누르십시오.')} /></Panel></div>;
  return <Loaded query={query}>{(d) => <Body runs={d.runs} missing={d.missing.length} drop={(r) => set({ runs: ids.filter((x) => x !== r).join(','), top: null })} />}</Loaded>;
}

function Body({ runs, missing, drop }: { runs: Run[]; missing: number; drop(id: string): void }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [get, set] = useView(); const [kept, setKept] = useState<Set<string> | null>(null);
  const color = useMemo(() => new Map(runs.map((r, i) => [r.id, SERIES[i % SERIES.length]])), [runs]); const dash = useMemo(() => new Map(runs.map((r, i) => [r.id, DASH[Math.floor(i / SERIES.length) % DASH.length]])), [runs]);
  const metrics = useMemo(() => [...new Set(runs.flatMap((r) => Object.keys(r.metrics)))].sort(), [runs]); const params = useMemo(() => [...new Set(runs.flatMap((r) => Object.keys(r.params)))].sort(), [runs]);
  const shared = useMemo(() => metrics.map((m) => [m, runs.filter((r) => num(r.metrics[m]) != null).length] as const).sort((a, b) => b[1] - a[1]).map((x) => x[0]), [metrics, runs]);
  const goal = get('goal') || ['roc_auc', 'test_roc_auc', 'valid', 'accuracy', 'f1', 'rmse', 'val_loss', 'loss', 'log_loss'].find((m) => metrics.includes(m)) || shared[0] || '';
  const differing = useMemo(() => params.filter((k) => new Set(runs.map((r) => r.params[k])).size > 1), [params, runs]);
  const axes = get('axes') ? get('axes').split(',').map(decodeURIComponent) : [...differing.slice(0, 5).map((p) => 'p:' + p), ...(goal ? ['m:' + goal] : [])]; const valueOf = (r: Run, k: string): number | string | null => (k.startsWith('m:') ? num(r.metrics[k.slice(2)]) : r.params[k.slice(2)] == null ? null : r.params[k.slice(2)] !== '' && Number.isFinite(+r.params[k.slice(2)]) ? +r.params[k.slice(2)] : r.params[k.slice(2)]);
  const lines = useMemo(() => runs.map((r) => ({ id: r.id, label: runName(r), color: color.get(r.id)!, values: axes.map((k) => valueOf(r, k)) })), [runs, axes.join(), color]); // eslint-disable-line react-hooks/exhaustive-deps
  const names = useMemo(() => axes.map((k) => (k.startsWith('m:') ? metricLabel(t, k.slice(2)) : k.slice(2))), [axes.join(), t]); // eslint-disable-line react-hooks/exhaustive-deps
  const within = kept ? runs.filter((r) => kept.has(r.id)) : runs; const several = new Set(runs.map((r) => r.experiment.name)).size > 1;
  const groups = [{ label: t('Metrics', '지표'), items: metrics.map((k) => ['m:' + k, k] as [string, string]) }, { label: t('Parameters', '매개변수'), items: params.map((k) => ['p:' + k, k] as [string, string]) }];
  return (
    <div className="page">
      <div className="ph"><div className="grow"><h1>{t(`Compare ${runs.length} runs`, `실행 ${runs.length}개 비교`)}</h1><div className="meta"><span>{[...new Set(runs.map((r) => r.experiment.name))].slice(0, 3).join(', ')}</span><span>{t(`${differing.length} of ${params.length} parameters differ`, `매개변수 ${params.length}개 중 ${differing.length}개가 다름`)}</span>{kept && <span><b className="num">{kept.size}</b> {t('within the marked ranges', '표시한 범위 안')}</span>}{missing > 0 && <span className="warn">{t(`${missing} are not there any more`, `${missing}개는 더 이상 없습니다`)}</span>}</div></div></div>
      <div className="cmp-cards" tabIndex={0} aria-label={t('Runs', '실행')} role="group">{runs.slice(0, 60).map((r) => <span className="card" key={r.id}><i className="sw" style={{ background: color.get(r.id) }} /><A className="namelink trunc" to={href('experiments', r.experiment.name, 'runs', r.id)}>{runName(r)}</A>{several && <span className="t3 fs11 trunc">{r.experiment.name}</span>}{goal && num(r.metrics[goal]) != null && <span className="num t2">{f.sig(num(r.metrics[goal]), 4)}</span>}<button className="btn ghost icon sm" style={{ width: 22, height: 22 }} aria-label={t(`Leave ${runName(r)} out`, `${runName(r)} 빼기`)} onClick={() => drop(r.id)}><X size={12} /></button></span>)}{runs.length > 60 && <span className="t3 fs12" style={{ alignSelf: 'center' }}>{t(`and ${runs.length - 60} more`, `외 ${runs.length - 60}개`)}</span>}</div>
      <div className="grid12">
        <CurvePanel runs={within} metrics={shared} goal={goal} color={color} dash={dash} />
        <Scatter runs={within} metrics={shared} params={params} goal={goal} color={color} valueOf={valueOf} />
        <Panel className="c12" title={t('Parallel coordinates', '평행 좌표')} hint={t('drag on an axis to keep a range, click to take it back', '축을 끌어 범위를 고르고, 누르면 풀립니다')} right={<Picker label={t('Axes', '축')} icon={<Spline size={14} />} groups={groups} value={axes} onChange={(v) => set({ axes: v.map(encodeURIComponent).join(',') })} />}>{axes.length > 1 ? <Parallel axes={names} runs={lines} label={t('Parallel coordinates', '평행 좌표')} onKeep={setKept} /> : <p className="t3">{t('Choose two axes or more.', '축을 둘 이상 고르십시오.')}</p>}</Panel>
        <Reports runs={within} color={color} /><Pictures runs={within} color={color} />
        <DiffTable runs={within} color={color} several={several} />
      </div>
    </div>
  );
}

function CurvePanel({ runs, metrics, goal, color, dash }: { runs: Run[]; metrics: string[]; goal: string; color: Map<string, string>; dash: Map<string, number[]> }) {
  const t = useT(); const project = useProject(); const [get, set] = useView(); const view = useCurveView(); const key = get('metric') || goal; const ids = runs.filter((r) => key in r.metrics).slice(0, CURVES).map((r) => r.id);
  const q = useQuery<Schemas['MetricSamples']>({ queryKey: [project, 'curves', ids.join(), key], enabled: !!key && ids.length > 0, queryFn: () => api('/metric-samples', project, { method: 'POST', body: { runs: ids, keys: [key], points: ids.length > 12 ? 160 : 400 } }), placeholderData: (old) => old });
  const curves = useMemo(() => (q.data?.series ?? []).filter((s) => s.key === key && s.steps.length > 1).map((s) => ({ ...s, label: runName(runs.find((r) => r.id === s.run) ?? { name: '', id: s.run }), color: color.get(s.run) ?? 'var(--c1)', dash: dash.get(s.run) })), [q.data, key, runs, color, dash]);
  const f = useFmt(); const single = runs.filter((r) => num(r.metrics[key]) != null).slice(0, CURVES); const all = single.map((r) => num(r.metrics[key])!); const low = Math.min(...all), span = Math.max(...all) - low;
  return (
    <Panel className="c8 m12" title={t('Curves', '곡선')} hint={runs.length > CURVES ? t(`the first ${CURVES} runs`, `앞의 ${CURVES}개`) : undefined} right={<select className="input" aria-label={t('Metric', '지표')} style={{ width: 200 }} value={key} onChange={(e) => set({ metric: e.target.value })}>{metrics.slice(0, 500).map((m) => <option key={m}>{m}</option>)}</select>}>
      <div className="col" style={{ gap: 10 }}><CurveTools />{curves.length ? <Curves label={`${key}: ${curves.map((c) => c.label).slice(0, 12).join(', ')}`} curves={curves} view={view} height={280} /> : q.isSuccess && single.length ? <div style={{ maxHeight: 300, overflow: 'auto' }} tabIndex={0} className="bars">{single.map((r) => { const v = num(r.metrics[key])!; return <div key={r.id} className="bar1"><span className="trunc fs12">{runName(r)}</span><i style={{ width: `${span ? 8 + 92 * ((v - low) / span) : 100}%`, background: color.get(r.id) }} /><span className="num fs12">{f.sig(v, 5)}</span></div>; })}<p className="t3 fs12">{t('One value a run; the shortest bar is the smallest.', '실행마다 값이 하나입니다. 가장 짧은 막대가 최솟값입니다.')}</p></div> : <p className="t3" style={{ minHeight: 200 }}>{q.isFetching ? t('Loading', '불러오는 중') : t('This metric has one value a run: see the table.', '이 지표는 실행마다 값이 하나입니다. 아래 표를 보십시오.')}</p>}</div>
    </Panel>
  );
}

function Scatter({ runs, metrics, params, goal, color, valueOf }: { runs: Run[]; metrics: string[]; params: string[]; goal: string; color: Map<string, string>; valueOf(r: Run, k: string): number | string | null }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView(); const numeric = params.filter((p) => runs.some((r) => typeof valueOf(r, 'p:' + p) === 'number') && new Set(runs.map((r) => r.params[p])).size > 1);
  const x = get('sx') || (numeric[0] ? 'p:' + numeric[0] : metrics.find((m) => m !== goal) ? 'm:' + metrics.find((m) => m !== goal) : ''), y = get('sy') || (goal ? 'm:' + goal : '');
  const dots = runs.map((r) => [r, valueOf(r, x), valueOf(r, y)] as const).filter((d): d is readonly [Run, number, number] => typeof d[1] === 'number' && typeof d[2] === 'number'); const span = (v: number[]): [number, number] => { const lo = Math.min(...v), hi = Math.max(...v); const pad = (hi - lo) * 0.06 || Math.abs(hi) * 0.1 || 1; return [lo - pad, hi + pad]; };
  const pick = (name: string, value: string, label: string) => <select className="input" aria-label={label} value={value} onChange={(e) => set({ [name]: e.target.value })}>{metrics.slice(0, 300).map((m) => <option key={'m' + m} value={'m:' + m}>{m}</option>)}{numeric.map((p) => <option key={'p' + p} value={'p:' + p}>{p}</option>)}</select>;
  return <Panel className="c4 m12" title={t('Scatter', '산점도')}><div className="col" style={{ gap: 10 }}><div className="row" style={{ gap: 8 }}>{pick('sx', x, t('Horizontal', '가로'))}{pick('sy', y, t('Vertical', '세로'))}</div>{dots.length ? <XY label={t(`${y.slice(2)} against ${x.slice(2)}`, `${x.slice(2)} 대 ${y.slice(2)}`)} lines={[]} xd={span(dots.map((d) => d[1]))} yd={span(dots.map((d) => d[2]))} xl={x.slice(2)} height={290} points={dots.map(([r, a, b]) => ({ x: a, y: b, r: runs.length > 100 ? 3.5 : 5, c: color.get(r.id)!, t: `${runName(r)} · ${f.sig(a, 4)} · ${f.sig(b, 5)}` }))} /> : <p className="t3">{t('No run has both values.', '두 값을 모두 가진 실행이 없습니다.')}</p>}</div></Panel>;
}

type Line = { key: string; kind: 'metrics' | 'params' | 'tags' | 'part'; differs: boolean };
function DiffTable({ runs, color, several }: { runs: Run[]; color: Map<string, string>; several: boolean }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [get, set] = useView(); const only = get('rows', 'diff') === 'diff';
  const lines = useMemo((): Line[] => {
    const part = (kind: 'metrics' | 'params' | 'tags', title: string): Line[] => { const keys = [...new Set(runs.flatMap((r) => Object.keys(r[kind])))].filter((k) => kind !== 'tags' || !k.startsWith('mlflow.log-model')).sort(); const all = keys.map((key) => ({ key, kind, differs: runs.length > 1 && new Set(runs.map((r) => r[kind][key])).size > 1 })).filter((l) => !only || l.differs); return all.length ? [{ key: title, kind: 'part', differs: false }, ...all] : []; };
    return [...part('metrics', t('Metrics', '지표')), ...part('params', t('Parameters', '매개변수')), ...part('tags', t('Tags', '태그'))];
  }, [runs, only, t]);
  const extremes = useMemo(() => new Map(lines.filter((l) => l.kind === 'metrics').map((l) => { const v = runs.map((r) => num(r.metrics[l.key])).filter((x): x is number => x != null); return [l.key, v.length > 1 ? (lowerIsBetter(l.key) ? Math.min(...v) : Math.max(...v)) : null]; })), [lines, runs]);
  const usual = useMemo(() => new Map(lines.filter((l) => l.kind !== 'metrics' && l.kind !== 'part').map((l) => { const n = new Map<string | undefined, number>(); for (const r of runs) { const v = r[l.kind as 'params'][l.key]; n.set(v, (n.get(v) ?? 0) + 1); } const top = [...n].sort((a, b) => b[1] - a[1])[0]; return [l.kind + l.key, top[1] > runs.length / 2 ? top[0] : null]; })), [lines, runs]);
  const first: SheetCol<Line> = { id: 'key', head: t('Key', '키'), px: 230, cell: (l) => <span className={l.kind === 'part' ? '' : 'mono fs12'} title={l.key}>{l.key}</span> };
  const cols = useMemo(() => runs.map((r): SheetCol<Line> => ({ id: r.id, px: 150, title: `${runName(r)} · ${r.id}`, r: true, head: <span className="row gap1"><i className="sw box" style={{ background: color.get(r.id) }} /><A className="namelink" to={href('experiments', r.experiment.name, 'runs', r.id)}>{runName(r)}</A>{several && <span className="t3">{r.experiment.name}</span>}</span>, cell: (l) => {
    if (l.kind === 'part') return null;
    if (l.kind === 'metrics') { const v = r.metrics[l.key]; const n = num(v); return <span className={n != null && n === extremes.get(l.key) ? 'b' : v == null ? 't3' : ''}>{n == null ? String(v ?? '–') : f.sig(n, 5)}</span>; }
    const v = r[l.kind][l.key]; const odd = l.differs && usual.get(l.kind + l.key) !== null && v !== usual.get(l.kind + l.key); return <span className={odd ? 'hit' : v == null ? 't3' : ''} title={v}>{v ?? '–'}</span>;
  } })), [runs, color, extremes, usual, several, f, href]);
  const row = (i: number) => lines[i];
  return <Panel className="c12" flush title={t('What differs', '다른 점')} hint={t('bold: best; marked: unlike most', '굵게: 최고, 표시: 다수와 다름')} right={<Seg label={t('Rows', '행')} value={only ? 'diff' : 'all'} onChange={(v) => set({ rows: v === 'all' ? v : null })} options={[['diff', t('differing', '다른 것')], ['all', t('all', '모두')]]} />}>{lines.length ? <div className="cmp-sheet" style={{ height: Math.min(620, lines.length * 30 + 50) }}><Sheet count={lines.length} row={row} id={(l) => l.kind + l.key} first={first} cols={cols} rowH={30} label={t('What differs', '다른 점')} mark={(l) => (l.kind === 'part' ? 'part' : '')} /></div> : <p className="t3 pad14">{t('Nothing differs.', '다른 것이 없습니다.')}</p>}</Panel>;
}

const PICTURES = 12; // runs whose pictures stand side by side

/** What the first runs logged, asked once for the panels that look for files in it. */
function useDetails(runs: Run[]) {
  const project = useProject(); const ids = runs.slice(0, PICTURES).map((r) => r.id);
  return useQuery<Map<string, Schemas['ExperimentRunDetail']>>({ queryKey: [project, 'compared-runs', ids.join()], staleTime: 60_000, queryFn: async () => new Map(await Promise.all(ids.map(async (id) => [id, await api<Schemas['ExperimentRunDetail']>(`/experiment-runs/${id}`, project)] as const))) });
}

/** Confusion, ROC, PR and calibration of the runs that logged an evaluation. */
function Reports({ runs, color }: { runs: Run[]; color: Map<string, string> }) {
  const t = useT(); const f = useFmt(); const project = useProject(); const [whose, setWhose] = useState(''); const ids = runs.slice(0, REPORTS).map((r) => r.id); const details = useDetails(runs).data;
  const q = useQuery<Map<string, Report>>({ queryKey: [project, 'reports', ids.join()], enabled: !!details, staleTime: 60_000, queryFn: async () => {
    const out = new Map<string, Report>();
    await Promise.all(ids.map(async (id) => { const d = details!.get(id); if (!d) return; const file = d.artifacts.find((a) => /(^|\/)(evaluation|report|eval)\.json$/.test(a.path) && a.bytes < 4_000_000); if (!file) { // what Maru trained itself keeps its evaluation with the version that came of it
      const v = d.model_version; if (!v) return; const m = await api<Schemas['Model']>(`/models/${encodeURIComponent(v.model)}`, project).catch(() => null); const r = readReport(m?.versions.find((x) => x.version === v.version)?.card.report); if (r) out.set(id, r); return;
    }
    const a = await fetch(artifactUrl(id, file.path, project)); const r = a.ok ? readReport(await a.json().catch(() => null)) : null; if (r) out.set(id, r); }));
    return out;
  } });
  const found = runs.filter((r) => q.data?.has(r.id)); if (!found.length) return null; const get = (r: Run) => q.data!.get(r.id)!; const of = (k: 'roc' | 'pr' | 'calibration') => found.filter((r) => get(r)[k]).map((r) => ({ ...get(r)[k]!, c: color.get(r.id)!, name: runName(r) }));
  const mixed = new Set(found.map((r) => get(r).on)).size > 1 ? t('trials on validation rows, versions on test rows', '시도는 검증 행, 버전은 테스트 행') : undefined;
  const matrix = found.filter((r) => get(r).confusion); const one = matrix.find((r) => r.id === whose) ?? matrix[0];
  return <>
    {of('roc').length > 0 && <Panel className="c3 m6" title="ROC" hint={mixed}><XY label={t('ROC curves', 'ROC 곡선')} lines={of('roc')} diag xl={t('false positive rate', '거짓 양성률')} height={220} /></Panel>}
    {of('pr').length > 0 && <Panel className="c3 m6" title={t('Precision and recall', '정밀도와 재현율')}><XY label={t('Precision–recall curves', '정밀도–재현율 곡선')} lines={of('pr')} xl={t('recall', '재현율')} height={220} /></Panel>}
    {of('calibration').length > 0 && <Panel className="c3 m6" title={t('Calibration', '보정')}><XY label={t('Calibration curves', '보정 곡선')} lines={of('calibration')} diag xl={t('predicted', '예측')} height={220} /></Panel>}
    {one && <Panel className="c3 m6" title={t('Confusion matrix', '혼동 행렬')} right={matrix.length > 1 ? <select className="input" style={{ width: 130, height: 26 }} aria-label={t('Run', '실행')} value={one.id} onChange={(e) => setWhose(e.target.value)}>{matrix.map((r) => <option key={r.id} value={r.id}>{runName(r)}</option>)}</select> : undefined} hint={get(one).threshold != null ? f.sig(get(one).threshold) : undefined}><Confusion cm={get(one).confusion!} labels={get(one).classes} /></Panel>}
  </>;
}

/** Pictures that the runs logged under one name, side by side: what scikit-learn's autolog and mlflow.evaluate draw. */
function Pictures({ runs, color }: { runs: Run[]; color: Map<string, string> }) {
  const t = useT(); const [get, set] = useView(); const details = useDetails(runs).data;
  const found = useMemo(() => { const out = new Map<string, string[]>(); for (const [id, d] of details ?? []) for (const a of d.artifacts) if (kindOf(a.path) === 'image' && a.bytes < 5_000_000) out.set(a.path, [...(out.get(a.path) ?? []), id]); return out; }, [details]);
  const weight = (p: string) => (/confusion/i.test(p) ? 0 : /roc/i.test(p) ? 1 : /precision_recall|pr_curve/i.test(p) ? 2 : /calibration|lift/i.test(p) ? 3 : 4);
  const names = [...found].filter(([, who]) => who.length > 1 || runs.length === 1).map(([p]) => p).sort((a, b) => weight(a) - weight(b) || a.localeCompare(b));
  if (!names.length) return null;
  const shown = names.includes(get('picture')) ? get('picture') : names[0]; const who = runs.filter((r) => found.get(shown)!.includes(r.id));
  return <Panel className="c12" title={t('Pictures', '그림')} right={<select className="input" style={{ maxWidth: 320, height: 28 }} aria-label={t('Picture', '그림')} value={shown} onChange={(e) => set({ picture: e.target.value })}>{names.map((n) => <option key={n}>{n}</option>)}</select>}>
    <div className="pics">{who.map((r) => <figure key={r.id}><Picture run={r.id} path={shown} name={runName(r)} /><figcaption className="row gap1"><i className="sw box" style={{ background: color.get(r.id) }} /><span className="trunc">{runName(r)}</span></figcaption></figure>)}</div></Panel>;
}

function Picture({ run, path, name }: { run: string; path: string; name: string }) {
  const project = useProject(); const [src, setSrc] = useState('');
  const q = useQuery({ queryKey: [project, 'picture', run, path], staleTime: Infinity, gcTime: 60_000, queryFn: async () => { const a = await fetch(artifactUrl(run, path, project)); if (!a.ok) throw new Error(String(a.status)); return new Blob([await a.blob()], { type: typeOf(path) }); } });
  useEffect(() => { if (!q.data) return; const u = URL.createObjectURL(q.data); setSrc(u); return () => URL.revokeObjectURL(u); }, [q.data]);
  return src ? <img src={src} alt={`${path}, ${name}`} /> : <div className="blank" />;
}
