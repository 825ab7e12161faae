import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { ageOf } from './state';

export function ExperimentList() {
  const t = useT(); const f = useFmt();
  usePage([[t('Experiments', '실험')]], 'maru experiment list', '/experiments');
  useLive(['project:default'], ['/experiments']);
  return <ListPage title={t('Experiments', '실험')} query={useApi('/experiments')} rows={(d) => d.experiments} id={(r) => r.name} to={(i) => '/p/default/experiments/' + encodeURIComponent(i)}
    empty={{ title: t('No experiments yet', '아직 실험이 없습니다'), text: t('Every training trial becomes a run of its project.', '학습 시도는 모두 프로젝트의 실행으로 기록됩니다.'), command: 'maru run' }}
    cols={[
      { id: 'name', head: t('Experiment', '실험'), w: 'minmax(200px, 2fr)', cell: (r: Json) => <b>{r.name}</b>, sort: (r) => r.name },
      { id: 'runs', head: t('Runs', '실행'), w: '100px', r: true, cell: (r) => f.int(r.runs), sort: (r) => r.runs },
      { id: 'age', head: t('Newest', '최근'), w: '140px', r: true, cell: (r) => <span className="t3">{f.ago(ageOf(r.updated_us))}</span>, sort: (r) => -r.updated_us },
    ]} />;
}
