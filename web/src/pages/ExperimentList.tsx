import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';

type Row = Schemas['ExperimentRow'];

export function ExperimentList() {
  const t = useT(); const f = useFmt(); const href = useHref();
  usePage([[t('Experiments', '실험')]], { cli: 'maru experiment list', curl: curl('/experiments') });
  const query = useApi<Schemas['ExperimentList']>('/experiments');
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(180px, 1fr)', cell: (r) => <span className="m">{r.name}</span>, sort: (r) => r.name },
    { id: 'r', head: t('Runs', '실행'), w: '100px', r: true, cell: (r) => f.int(r.runs), sort: (r) => r.runs },
    { id: 'c', head: t('Created', '생성'), w: '140px', r: true, cell: (r) => <span className="t3" title={f.iso(r.created_us)}>{f.ago(r.created_us)}</span>, sort: (r) => r.created_us },
    { id: 'u', head: t('Last run', '최근 실행'), w: '140px', r: true, cell: (r) => <span className="t3" title={f.iso(r.updated_us)}>{f.ago(r.updated_us)}</span>, sort: (r) => r.updated_us },
  ];
  return <Loaded query={query}>{(d) => <ListPage title={t('Experiments', '실험')} meta={<span>{t(`${d.experiments.length} experiments, ${f.int(d.experiments.reduce((a, r) => a + r.runs, 0))} runs`, `실험 ${d.experiments.length}개, 실행 ${f.int(d.experiments.reduce((a, r) => a + r.runs, 0))}개`)}</span>} rows={d.experiments} cols={cols} id={(r) => r.name} to={(r) => href('experiments', r.name)} empty={<Empty title={t('No experiment yet', '아직 실험이 없습니다')} text={t('Every training run is recorded with its parameters, metrics and files.', '모든 학습 실행이 매개변수·지표·파일과 함께 기록됩니다.')} command="maru run" />} />}</Loaded>;
}
