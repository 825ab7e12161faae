import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { ageOf, num } from './state';

export function ModelList() {
  const t = useT(); const f = useFmt();
  usePage([[t('Models', '모델')]], 'maru model list', '/models');
  useLive(['project:default'], ['/models']);
  return <ListPage title={t('Models', '모델')} query={useApi('/models')} rows={(d) => d.models} id={(r) => r.name} to={(i) => '/p/default/models/' + encodeURIComponent(i)}
    empty={{ title: t('No models yet', '아직 모델이 없습니다'), text: t('A model appears here when a run registers one.', '실행이 모델을 등록하면 여기에 나타납니다.'), command: 'maru init FILE --label COLUMN && maru run' }}
    cols={[
      { id: 'name', head: t('Model', '모델'), w: 'minmax(180px, 2fr)', cell: (r: Json) => <b>{r.name}</b>, sort: (r) => r.name },
      { id: 'task', head: t('Task', '과제'), w: '110px', cell: (r) => r.task },
      { id: 'champion', head: t('Champion', '챔피언'), w: '110px', cell: (r) => r.aliases.champion ? <Chip s="alias">v{r.aliases.champion}</Chip> : <span className="t3">–</span> },
      { id: 'versions', head: t('Versions', '버전'), w: '90px', r: true, cell: (r) => r.versions, sort: (r) => r.versions },
      { id: 'q', head: t('Newest', '최신'), w: '190px', r: true, cell: (r) => r.latest ? <span>{r.latest.metric} {f.fix(num(r.latest.value), 4)}</span> : '–' },
      { id: 'gates', head: t('Gates', '관문'), w: '130px', cell: (r) => r.gates ? <Chip s={r.gates.failed ? 'bad' : 'ok'}>{r.gates.ok}/{r.gates.ok + r.gates.failed}</Chip> : null },
      { id: 'age', head: t('Updated', '갱신'), w: '120px', r: true, cell: (r) => <span className="t3">{f.ago(ageOf(r.updated_us))}</span>, sort: (r) => -r.updated_us },
    ]} />;
}
