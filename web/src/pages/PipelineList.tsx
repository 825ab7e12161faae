import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { stateOf, stateWord, triggerWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';

type Row = Schemas['PipelineRow'];
const mark: Record<string, string> = { succeeded: 'o', failed: 'b', running: 'r', cancelled: 'c', pending: 'c' };

export function PipelineList() {
  const t = useT(); const f = useFmt(); const href = useHref();
  usePage([[t('Pipelines', '파이프라인')]], { cli: 'maru pipeline list', curl: curl('/pipelines') });
  const query = useApi<Schemas['PipelineList']>('/pipelines', { live: 5000 });
  const med = (r: Row) => { const s = r.recent.filter((x) => x.state === 'succeeded').map((x) => x.seconds).sort((a, b) => a - b); return s.length ? s[s.length >> 1] : null; };
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(150px, 1fr)', cell: (r) => <span className="m">{r.name}</span>, sort: (r) => r.name },
    { id: 's', head: t('Last run', '최근 실행'), w: '200px', cell: (r) => (r.last ? <span className="row"><Chip s={stateOf(r.last.state)}>{stateWord(t, r.last.state)}</Chip><span className="t3 fs12">{f.ago(r.last.created_us)}</span></span> : <span className="t3">–</span>) },
    { id: 'h', head: t('Last runs, height = time', '최근 실행, 높이 = 시간'), w: '220px', cell: (r) => { const m = Math.max(...r.recent.map((x) => x.seconds), 1e-9); return <span className="rh" role="img" aria-label={r.recent.map((x) => stateWord(t, x.state)).join(', ')}>{r.recent.map((x) => <i key={x.id} className={mark[x.state]} style={{ height: 6 + (x.seconds / m) * 16 }} />)}</span>; } },
    { id: 't', head: t('Started by', '시작 조건'), w: 'minmax(130px, 1fr)', cell: (r) => <span className="t2">{r.schedule ? <code>{r.schedule.cron}</code> : r.last ? triggerWord(t, r.last.trigger) : '–'}</span> },
    { id: 'x', head: t('Next', '다음'), w: '130px', r: true, cell: (r) => (r.schedule ? f.date(r.schedule.next_tick_us) : <span className="t3">–</span>) },
    { id: 'd', head: t('Median', '중앙값'), w: '84px', r: true, cell: (r) => <span className="t2">{f.dur(med(r))}</span>, sort: med },
    { id: 'r', head: t('Runs', '실행'), w: '70px', r: true, cell: (r) => f.int(r.runs), sort: (r) => r.runs },
  ];
  return <Loaded query={query}>{(d) => <ListPage title={t('Pipelines', '파이프라인')} meta={<span>{t(`${d.pipelines.length} pipelines, ${d.pipelines.filter((p) => p.last?.state === 'running').length} running now`, `파이프라인 ${d.pipelines.length}개, 실행 중 ${d.pipelines.filter((p) => p.last?.state === 'running').length}개`)}</span>} rows={d.pipelines} cols={cols} id={(r) => r.name} to={(r) => (r.last ? href('pipelines', r.name, r.last.id) : href('pipelines', r.name))} empty={<Empty title={t('No pipeline yet', '아직 파이프라인이 없습니다')} text={t('A project file compiles into a pipeline; every run is kept and drawn here.', '프로젝트 파일이 파이프라인이 되며, 모든 실행이 기록되어 여기에 그려집니다.')} command="maru run" />} />}</Loaded>;
}
