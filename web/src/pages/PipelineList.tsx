import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { ageOf, tone } from './state';

export function PipelineList() {
  const t = useT(); const f = useFmt();
  usePage([[t('Pipelines', '파이프라인')]], 'maru pipeline list', '/pipelines');
  useLive(['project:default'], ['/pipelines']);
  return <ListPage title={t('Pipelines', '파이프라인')} query={useApi('/pipelines')} rows={(d) => d.pipelines} id={(r) => r.name} to={(i) => '/p/default/pipelines/' + encodeURIComponent(i)}
    empty={{ title: t('No pipelines yet', '아직 파이프라인이 없습니다'), text: t('A project file becomes a pipeline when it is run.', '프로젝트 파일을 실행하면 파이프라인이 됩니다.'), command: 'maru run maru.yaml' }}
    cols={[
      { id: 'name', head: t('Pipeline', '파이프라인'), w: 'minmax(180px, 2fr)', cell: (r: Json) => <b>{r.name}</b>, sort: (r) => r.name },
      { id: 'last', head: t('Last run', '최근 실행'), w: '150px', cell: (r) => r.last ? <Chip s={tone(r.last.state)} /> : <span className="t3">–</span> },
      { id: 'strip', head: t('Recent', '최근 기록'), w: '190px', cell: (r) => <span className="row" style={{ gap: 2, alignItems: 'end', height: 24 }} aria-hidden>{r.recent.map((x: Json) => <i key={x.id} title={x.state} style={{ width: 5, height: 6 + Math.min(18, x.seconds), background: `var(--${tone(x.state) === 'skip' || tone(x.state) === 'wait' ? 'idle' : tone(x.state)}-fill)`, borderRadius: 1 }} />)}</span> },
      { id: 'runs', head: t('Runs', '실행 수'), w: '80px', r: true, cell: (r) => r.runs, sort: (r) => r.runs },
      { id: 'sec', head: t('Took', '걸린 시간'), w: '110px', r: true, cell: (r) => r.last ? f.dur(r.last.seconds) : '–' },
      { id: 'cron', head: t('Schedule', '일정'), w: '130px', cell: (r) => <span className="mono fs12">{r.schedule?.cron ?? '–'}</span> },
      { id: 'age', head: t('Started', '시작'), w: '120px', r: true, cell: (r) => r.last ? <span className="t3">{f.ago(ageOf(r.last.created_us))}</span> : '–' },
    ]} />;
}
