import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { tone } from './state';

export function EndpointList() {
  const t = useT(); const f = useFmt();
  usePage([[t('Endpoints', '엔드포인트')]], 'maru endpoint list', '/endpoints');
  useLive(['project:default'], ['/endpoints']);
  return <ListPage title={t('Endpoints', '엔드포인트')} query={useApi('/endpoints', 5000)} rows={(d) => d.endpoints} id={(r) => r.name} to={(i) => '/p/default/endpoints/' + encodeURIComponent(i)}
    empty={{ title: t('Nothing is being served', '서빙 중인 것이 없습니다'), text: t('A project with `serve: {endpoint: NAME}` serves what passes its gates.', '`serve: {endpoint: 이름}`이 있는 프로젝트는 관문을 통과한 모델을 서빙합니다.'), command: 'maru run' }}
    cols={[
      { id: 'name', head: t('Endpoint', '엔드포인트'), w: 'minmax(160px, 2fr)', cell: (r: Json) => <b>{r.name}</b>, sort: (r) => r.name },
      { id: 'state', head: t('State', '상태'), w: '120px', cell: (r) => <Chip s={tone(r.state)}>{r.state === 'ready' ? t('ready', '정상') : r.state}</Chip> },
      { id: 'model', head: t('Answered by', '응답 모델'), w: 'minmax(150px, 1fr)', cell: (r) => <span>{r.model} {r.arms.map((a: Json) => 'v' + a.version).join(', ')}</span> },
      { id: 'rps', head: t('Traffic', '트래픽'), w: '110px', r: true, cell: (r) => f.fix(r.latency.per_second, 1) + '/s' },
      { id: 'p50', head: 'p50', w: '90px', r: true, cell: (r) => f.fix(r.latency.p50_us / 1000, 2) + ' ms' },
      { id: 'p99', head: 'p99', w: '90px', r: true, cell: (r) => f.fix(r.latency.p99_us / 1000, 2) + ' ms' },
      { id: 'err', head: t('Errors', '오류'), w: '90px', r: true, cell: (r) => f.int(r.latency.errors) },
    ]} />;
}
