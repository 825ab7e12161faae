import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { api, ApiError, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { useChanges } from '../lib/runs';
import { tokensOf, traceFilter, type Trace } from '../lib/trace';
import { stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { FilterBox } from '../ui/FilterBox';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { RunsOrTraces } from '../ui/RunsOrTraces';
import { Seg } from '../ui/Seg';
import { Skeleton } from '../ui/Skeleton';

const PAGE = 100;

/** The traces of an experiment, newest first; asked again when the server tells of a change. */
export function TraceList() {
  const { id } = useParams({ strict: false }) as { id: string }; const t = useT(); const f = useFmt(); const href = useHref(); const nav = useNavigate(); const project = useProject(); const [get, set] = useView();
  usePage([[t('Experiments', '실험'), href('experiments')], [id, href('experiments', id)], [t('Traces', '트레이스')]], { cli: '', curl: curl('/traces') });
  const where = useApi<{ id: string }>(`/experiments/by-name?name=${encodeURIComponent(id)}`); const experiment = where.data?.id;
  const typed = get('q'), state = get('state'); const filter = traceFilter(typed, state); const order = get('sort', '-timestamp_ms'); const desc = order.startsWith('-'), by = desc ? order.slice(1) : order;
  const query = useInfiniteQuery({
    queryKey: [project, 'traces', experiment, filter, order], enabled: experiment != null, initialPageParam: '', placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) => api<Schemas['TraceList']>(`/traces?experiment=${encodeURIComponent(experiment!)}&limit=${PAGE}&order_by=${encodeURIComponent(`${by} ${desc ? 'DESC' : 'ASC'}`)}&filter=${encodeURIComponent(filter)}${pageParam ? `&page_token=${encodeURIComponent(pageParam)}` : ''}`, project),
    getNextPageParam: (last) => last.next_page_token || undefined,
  });
  useChanges(experiment ? [`traces:${experiment}`] : [], () => void query.refetch());
  const rows = query.data?.pages.flatMap((p) => p.traces) ?? []; const more = query.hasNextPage;
  const wrong = query.error instanceof ApiError && query.error.status === 400 && typed ? query.error : null;
  const cols: Col<Trace>[] = [
    { id: 'name', head: t('Trace', '트레이스'), w: 'minmax(180px, 1.2fr)', cell: (r) => <span className="m" title={r.id}>{r.name || r.id}</span>, sort: (r) => r.name },
    { id: 'status', head: t('State', '상태'), w: '116px', cell: (r) => <Chip s={stateOf(r.state)}>{stateWord(t, r.state)}</Chip>, sort: (r) => r.state },
    { id: 'in', head: t('Request', '요청'), w: 'minmax(140px, 2fr)', cell: (r) => <span className="t2 mono fs12" title={r.request}>{r.request || '–'}</span> },
    { id: 'out', head: t('Response', '응답'), w: 'minmax(140px, 2fr)', cell: (r) => <span className="t2 mono fs12" title={r.response}>{r.response || '–'}</span> },
    { id: 'tok', head: t('Tokens', '토큰'), w: '84px', r: true, cell: (r) => { const u = tokensOf(r); return u ? <span title={t(`${u.input} in, ${u.output} out`, `입력 ${u.input}, 출력 ${u.output}`)}>{f.int(u.total)}</span> : <span className="t3">–</span>; } },
    { id: 'sp', head: t('Spans', '스팬'), w: '74px', r: true, cell: (r) => (r.expected_spans > r.spans ? `${f.int(r.spans)}/${f.int(r.expected_spans)}` : f.int(r.spans)) },
    { id: 'execution_time_ms', head: t('Time', '시간'), w: '92px', r: true, cell: (r) => <span>{r.duration_ms == null ? '–' : f.dur(r.duration_ms / 1000)}</span>, sort: (r) => r.duration_ms ?? null },
    { id: 'timestamp_ms', head: t('When', '시각'), w: '116px', r: true, cell: (r) => <span className="t3" title={f.iso(r.start_ms * 1000)}>{f.ago(r.start_ms * 1000)}</span>, sort: (r) => r.start_ms },
  ];
  const open = (k: string) => void nav({ to: href('experiments', id, 'traces', k) as '/' });
  if (where.error) return <div className="page"><h1 className="sr">{id}</h1><ErrorNote error={where.error} retry={() => void where.refetch()} /></div>;
  if (!query.data && !query.error) return <Skeleton />;
  return (
    <div className="page fill"><div className="ph"><div className="grow"><h1>{id}</h1><div className="meta"><span>{t(`${f.int(rows.length)}${more ? '+' : ''} traces`, `트레이스 ${f.int(rows.length)}${more ? '개 이상' : '개'}`)}</span></div></div><div className="acts"><RunsOrTraces name={id} at="traces" /></div></div>
      <div className="row wrap" style={{ flex: 'none', alignItems: 'flex-start' }}><FilterBox value={typed} onChange={(v) => set({ q: v })} keys={undefined} error={wrong} placeholder={t("A word, or execution_time_ms > 500 AND tags.user = 'kim'", "낱말, 또는 execution_time_ms > 500 AND tags.user = 'kim'")} />
        <Seg label={t('State', '상태')} value={state as '' | 'OK' | 'ERROR' | 'IN_PROGRESS'} onChange={(v) => set({ state: v })} options={[['', t('All', '전체')], ['OK', stateWord(t, 'OK')], ['ERROR', stateWord(t, 'ERROR')], ['IN_PROGRESS', stateWord(t, 'IN_PROGRESS')]]} /></div>
      {query.error && !wrong && <ErrorNote error={query.error} retry={() => void query.refetch()} />}
      <Panel flush className="ex-list lst">{rows.length ? <DataGrid rows={rows} cols={cols} label={t('Traces', '트레이스')} id={(r) => r.id} rowH={40} serverSort={[by, desc ? -1 : 1]} onSort={(c, d) => set({ sort: (d === -1 ? '-' : '') + c })} onPick={open} onOpen={open} onEnd={() => { if (more && !query.isFetchingNextPage) void query.fetchNextPage(); }} />
        : <Empty title={filter ? t('No trace matches', '맞는 트레이스가 없습니다') : t('No trace here', '트레이스가 없습니다')} text={filter ? t('Take a part of the filter away.', '거르기의 일부를 지워 보십시오.') : t('What @mlflow.trace, an autolog or OpenTelemetry sends appears here.', '@mlflow.trace, autolog, OpenTelemetry가 보낸 것이 여기에 나타납니다.')} command={filter ? undefined : `MLFLOW_TRACKING_URI=${location.origin} python app.py`} />}</Panel>
    </div>
  );
}
