import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { metricLabel, stateOf, stateWord, taskWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';

type Row = Schemas['ModelRow'];

export function ModelList() {
  const t = useT(); const f = useFmt(); const href = useHref();
  usePage([[t('Models', '모델')]], { cli: 'maru model list', curl: curl('/models') });
  const query = useApi<Schemas['ModelList']>('/models');
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(160px, 1fr)', cell: (r) => <span className="m">{r.name}</span>, sort: (r) => r.name },
    { id: 'k', head: t('Task', '과제'), w: '172px', cell: (r) => <span className="t2">{taskWord(t, r.task)}</span> },
    { id: 'a', head: t('Aliases', '별칭'), w: 'minmax(170px, 1fr)', cell: (r) => <span className="row gap1">{Object.entries(r.aliases).map(([a, v]) => <Chip key={a} s="alias" className={a === 'champion' ? '' : 'soft'}>@{a} v{v}</Chip>)}</span> },
    { id: 's', head: t('Newest', '최신'), w: '160px', cell: (r) => (r.latest ? <span className="row"><span className="m">v{r.latest.version}</span><Chip s={r.latest.state === 'ready' ? 'ok' : stateOf(r.latest.state)}>{stateWord(t, r.latest.state)}</Chip></span> : '–') },
    { id: 'm', head: t('Quality', '성능'), w: '190px', cell: (r) => (r.latest ? <span className="num">{metricLabel(t, r.latest.metric)} <b>{f.fix(r.latest.value, 4)}</b>{r.latest.low != null && <span className="t3"> {f.fix(r.latest.low)}…{f.fix(r.latest.high)}</span>}</span> : null), sort: (r) => r.latest?.value ?? null },
    { id: 'g', head: t('Gates', '관문'), w: '110px', cell: (r) => (r.gates ? <span className="pips" role="img" aria-label={t(`${r.gates.ok} of ${r.gates.ok + r.gates.failed} gates passed`, `관문 ${r.gates.ok + r.gates.failed}개 중 ${r.gates.ok}개 통과`)}>{Array.from({ length: r.gates.ok }, (_, i) => <i key={i} />)}{Array.from({ length: r.gates.failed }, (_, i) => <i key={'f' + i} className="b" />)}</span> : null) },
    { id: 'v', head: t('Versions', '버전'), w: '84px', r: true, cell: (r) => r.versions, sort: (r) => r.versions },
    { id: 'u', head: t('Changed', '변경'), w: '104px', r: true, cell: (r) => <span className="t3" title={f.iso(r.updated_us)}>{f.ago(r.updated_us)}</span>, sort: (r) => r.updated_us },
  ];
  return <Loaded query={query}>{(d) => <ListPage title={t('Models', '모델')} meta={<span>{t(`${d.models.length} models, ${d.models.reduce((a, m) => a + m.versions, 0)} versions`, `모델 ${d.models.length}개, 버전 ${d.models.reduce((a, m) => a + m.versions, 0)}개`)}</span>} rows={d.models} cols={cols} id={(r) => r.name} to={(r) => href('models', r.name)} empty={<Empty title={t('No models yet', '아직 모델이 없습니다')} text={t('A model appears here when a pipeline passes its gates, or when you import one.', '파이프라인이 관문을 통과하거나 모델을 가져오면 여기에 나타납니다.')} command="maru model import PATH --name NAME" />} />}</Loaded>;
}
