import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { Columns3, Filter, Star } from 'lucide-react';
import { useCallback, useMemo, useState } from 'react';
import { DASH, SERIES } from '../charts/base';
import { api, num, type Schemas } from '../api/client';
import { useProject } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { lowerIsBetter, metricLabel, stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { Loaded } from '../ui/Loaded';
import { Menu, MenuItem } from '../ui/Menu';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';
import { ComparePanel } from './ComparePanel';

type Run = Schemas['ExperimentRun']; type Page = Schemas['ExperimentRuns'];
const PAGE = 200;

export function Experiment() {
  const { id } = useParams({ strict: false }) as { id: string }; const t = useT(); const href = useHref(); const project = useProject(); const [get] = useView();
  const sort = get('sort', '-start_us'), q = get('q'); const desc = sort.startsWith('-'); const order = desc ? sort.slice(1) : sort;
  const path = `/experiments/${encodeURIComponent(id)}/runs?order_by=${encodeURIComponent(order)}&desc=${desc ? 1 : 0}&q=${encodeURIComponent(q)}`;
  usePage([[t('Experiments', '실험'), href('experiments')], [id]], { cli: `maru runs list ${id}`, curl: curl(path) });
  const query = useInfiniteQuery<Page, Error, { pages: Page[] }, unknown[], number>({
    queryKey: [project, path], initialPageParam: 0, queryFn: ({ pageParam }) => api<Page>(`${path}&limit=${PAGE}&offset=${pageParam}`, project),
    getNextPageParam: (last, all) => { const have = all.reduce((a, p) => a + p.runs.length, 0); return last.runs.length && have < last.total ? have : undefined; }, placeholderData: (old) => old,
  });
  const more = useCallback(() => { if (query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage(); }, [query]);
  return <Loaded query={query as never}>{(d: { pages: Page[] }) => <Runs name={id} pages={d.pages} order={order} desc={desc} more={more} />}</Loaded>;
}

function Runs({ name, pages, order, desc, more }: { name: string; pages: Page[]; order: string; desc: boolean; more(): void }) {
  const t = useT(); const f = useFmt(); const nav = useNavigate(); const href = useHref(); const [get, set] = useView();
  const runs = useMemo(() => pages.flatMap((p) => p.runs), [pages]); const last = pages[pages.length - 1];
  const metrics = useMemo(() => [...new Set(pages.flatMap((p) => p.metric_keys))], [pages]); const params = useMemo(() => [...new Set(pages.flatMap((p) => p.param_keys))], [pages]);
  const shownKeys = (get('cols') ? get('cols').split(',') : [...pickDefault(metrics).map((m) => 'm:' + m), ...params.slice(0, 3).map((p) => 'p:' + p)]).filter(Boolean);
  const sel = useMemo(() => new Set(get('sel').split(',').filter(Boolean)), [get('sel')]); // eslint-disable-line react-hooks/exhaustive-deps
  const [cur, setCur] = useState<string | null>(null);
  const chosen = runs.filter((r) => sel.has(r.id)); const color = (id: string) => SERIES[[...sel].indexOf(id) % SERIES.length];
  const goal = shownKeys.find((k) => k.startsWith('m:'))?.slice(2); const values = runs.map((r) => num(r.metrics[goal ?? ''])).filter((v): v is number => v != null);
  const best = values.length ? (goal && lowerIsBetter(goal) ? Math.min(...values) : Math.max(...values)) : null;
  const cols: Col<Run>[] = [
    { id: 'name', head: t('Run', '실행'), w: 'minmax(190px, 1.2fr)', cell: (r) => <span className="row" style={{ gap: 8 }}><i className="sw box" style={{ background: sel.has(r.id) ? color(r.id) : 'var(--line-2)' }} /><A className="namelink trunc" to={href('experiments', name, 'runs', r.id)}>{r.name || r.id.slice(0, 8)}</A>{best != null && num(r.metrics[goal!]) === best && <Star size={12} fill="currentColor" className="warn" aria-label={t('best', '최고')} />}{r.model_version && <Chip s="alias" className={r.model_version.aliases.length ? '' : 'soft'}>v{r.model_version.version}</Chip>}</span>, sort: (r) => r.name },
    { id: 'status', head: t('State', '상태'), w: '104px', cell: (r) => <span className="row gap1"><StatusIcon s={stateOf(r.status)} size={13} />{stateWord(t, r.status)}</span> },
    ...shownKeys.map((k): Col<Run> => { const key = k.slice(2); return k.startsWith('m:') ? { id: 'metric:' + key, head: metricLabel(t, key), title: key, w: '112px', r: true, cell: (r) => <span className={key === goal && num(r.metrics[key]) === best ? 'b' : ''}>{f.fix(num(r.metrics[key]), 4)}</span>, sort: (r) => num(r.metrics[key]) } : { id: 'param:' + key, head: key, title: key, w: '120px', cell: (r) => <span className="t2" title={r.params[key]}>{r.params[key] ?? '–'}</span> }; }),
    { id: 'start_us', head: t('When', '시각'), w: '110px', r: true, cell: (r) => <span className="t3" title={f.iso(r.start_us)}>{f.ago(r.start_us)}</span>, sort: (r) => r.start_us },
    { id: 'dur', head: t('Time', '시간'), w: '80px', r: true, cell: (r) => <span className="t2">{f.dur(r.end_us ? (r.end_us - r.start_us) / 1e6 : null)}</span> },
  ];
  const toggle = (k: string) => set({ cols: (shownKeys.includes(k) ? shownKeys.filter((x) => x !== k) : [...shownKeys, k]).join(',') });
  return (
    <div className="page fill ex">
      <div className="ph"><div className="grow"><h1>{name}</h1><div className="meta"><span><b className="num">{f.int(last.total)}</b> {t('runs', '실행')}</span>{best != null && <span>{t('best', '최고')} {metricLabel(t, goal!)} <b className="num">{f.fix(best, 4)}</b></span>}</div></div></div>
      <div className="row wrap"><label className="filter"><Filter size={13} /><span className="sr">{t('Filter', '거르기')}</span><input value={get('q')} placeholder={t('Name of the run', '실행 이름')} onChange={(e) => set({ q: e.target.value })} /><kbd>F</kbd></label>
        <Menu trigger={<button className="btn"><Columns3 size={14} />{t('Columns', '열')} <span className="badge">{shownKeys.length}</span></button>}><div style={{ maxHeight: 380, overflow: 'auto' }}><div className="lbl">{t('Metrics', '지표')}</div>{metrics.map((m) => <MenuItem key={m} onSelect={(e) => { e.preventDefault(); toggle('m:' + m); }}><span style={{ width: 14 }}>{shownKeys.includes('m:' + m) ? '✓' : ''}</span>{m}</MenuItem>)}<div className="lbl">{t('Parameters', '매개변수')}</div>{params.map((m) => <MenuItem key={m} onSelect={(e) => { e.preventDefault(); toggle('p:' + m); }}><span style={{ width: 14 }}>{shownKeys.includes('p:' + m) ? '✓' : ''}</span>{m}</MenuItem>)}</div></Menu></div>
      <div className={chosen.length ? 'ex-split' : 'col grow'} style={chosen.length ? undefined : { minHeight: 0, paddingBottom: 16 }}>
        <Panel flush className="ex-list lst">{runs.length ? <DataGrid rows={runs} cols={cols} label={t('Runs', '실행')} id={(r) => r.id} cur={cur} onCur={setCur} onOpen={(k) => void nav({ to: href('experiments', name, 'runs', k) as '/' })} sel={sel} onSel={(s) => set({ sel: [...s].join(',') })} serverSort={[order, desc ? -1 : 1]} onSort={(c, dir) => set({ sort: (dir === -1 ? '-' : '') + c })} onEnd={more} /> : <Empty title={t('No run here', '실행이 없습니다')} text={t('Runs appear as soon as training starts.', '학습이 시작되면 바로 나타납니다.')} command="maru run" />}</Panel>
        {chosen.length > 0 && <div className="ex-side"><ComparePanel runs={chosen} experiment={name} color={color} dash={(id) => DASH[[...sel].indexOf(id) % DASH.length]} metrics={metrics} /></div>}
      </div>
    </div>
  );
}
const pickDefault = (m: string[]) => { const want = ['roc_auc', 'test_roc_auc', 'valid', 'valid_roc_auc', 'log_loss', 'rmse', 'mae', 'accuracy', 'f1'].filter((k) => m.includes(k)); return (want.length ? want : m).slice(0, 4); };
