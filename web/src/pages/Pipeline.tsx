import { useParams } from '@tanstack/react-router';
import { enc, useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { ageOf, tone } from './state';

export function Pipeline() {
  const { id } = useParams({ strict: false }) as { id: string };
  const t = useT(); const f = useFmt();
  usePage([[t('Pipelines', '파이프라인'), '/p/default/pipelines'], [id]], 'maru pipeline runs ' + id, `/pipelines/${enc(id)}/runs`);
  useLive(['pipeline:' + id], [`/pipelines/${enc(id)}`]);
  return <ListPage title={id} query={useApi(`/pipelines/${enc(id)}/runs`)} rows={(d) => d.runs} id={(r) => r.id} to={(i) => `/p/default/pipelines/${enc(id)}/${i}`}
    empty={{ title: t('No runs', '실행이 없습니다'), text: '', command: 'maru run' }}
    cols={[
      { id: 'state', head: t('State', '상태'), w: '130px', cell: (r: Json) => <Chip s={tone(r.state)} /> },
      { id: 'id', head: t('Run', '실행'), w: 'minmax(160px, 1fr)', cell: (r) => <span className="mono fs12">{r.id.slice(0, 16)}</span> },
      { id: 'trigger', head: t('Why', '계기'), w: 'minmax(140px, 1fr)', cell: (r) => <span className="trunc">{r.trigger}</span> },
      { id: 'tasks', head: t('Tasks', '작업'), w: '200px', cell: (r) => <span className="row" style={{ gap: 3 }} aria-hidden>{r.tasks.map((x: Json) => <i key={x.name} title={x.name + ' ' + x.state} style={{ width: 12, height: 8, borderRadius: 2, background: x.state === 'succeeded' ? 'var(--ok-fill)' : x.state === 'failed' ? 'var(--bad-fill)' : x.state === 'running' ? 'var(--run-fill)' : 'var(--sunken)' }} />)}</span> },
      { id: 'sec', head: t('Took', '걸린 시간'), w: '110px', r: true, cell: (r) => f.dur(r.seconds), sort: (r) => r.seconds },
      { id: 'age', head: t('Started', '시작'), w: '120px', r: true, cell: (r) => <span className="t3">{f.ago(ageOf(r.created_us))}</span>, sort: (r) => -r.created_us },
    ]} />;
}
