import { FileStack } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { endpointState, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';

type Row = Schemas['EndpointSummary'];

export function EndpointList() {
  const t = useT(); const f = useFmt(); const href = useHref();
  usePage([[t('Endpoints', '엔드포인트')]], { cli: 'maru endpoint list', curl: curl('/endpoints') });
  const query = useApi<Schemas['EndpointList']>('/endpoints', { live: 3000 });
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(140px, 1fr)', cell: (r) => <span className="m">{r.name}</span>, sort: (r) => r.name },
    { id: 's', head: t('State', '상태'), w: '120px', cell: (r) => <Chip s={endpointState(r.state)} title={r.reason}>{stateWord(t, r.state)}</Chip> },
    { id: 'm', head: t('Model', '모델'), w: 'minmax(120px, 1fr)', cell: (r) => r.model },
    { id: 'r', head: t('Route', '라우팅'), w: 'minmax(180px, 1.2fr)', cell: (r) => <span className="row gap1">{r.arms.map((a) => <Chip key={a.version} s="sq">v{a.version} {f.pct(a.weight / (r.arms.reduce((x, y) => x + y.weight, 0) || 1), 0)}</Chip>)}{r.shadow && <span className="t3">+ v{r.shadow.version} {t('shadow', '섀도')}</span>}</span> },
    { id: 'q', head: t('req/s', '건/초'), w: '90px', r: true, cell: (r) => f.sig(r.latency.per_second), sort: (r) => r.latency.per_second },
    { id: 'p', head: 'p99', w: '90px', r: true, cell: (r) => (r.latency.count ? f.us(r.latency.p99_us) : '–'), sort: (r) => r.latency.p99_us },
    { id: 'a', head: t('Answered', '응답'), w: '100px', r: true, cell: (r) => f.int(r.arms.reduce((a, x) => a + x.requests, 0)) },
    { id: 'e', head: t('Failed', '실패'), w: '84px', r: true, cell: (r) => { const n = r.arms.reduce((a, x) => a + x.errors, 0); return <span className={n ? 'bad m' : 'ok'}>{f.int(n)}</span>; } },
  ];
  return <Loaded query={query}>{(d) => <ListPage title={t('Endpoints', '엔드포인트')} meta={<span>{t(`${f.sig(d.endpoints.reduce((a, e) => a + e.latency.per_second, 0))} requests a second`, `초당 ${f.sig(d.endpoints.reduce((a, e) => a + e.latency.per_second, 0))}건`)}</span>} acts={<A className="btn" to={href('endpoints', '-', 'batch')}><FileStack size={14} />{t('Batch predictions', '배치 예측')}</A>} rows={d.endpoints} cols={cols} id={(r) => r.name} to={(r) => href('endpoints', r.name)} empty={<Empty title={t('Nothing is served yet', '아직 서빙 중인 모델이 없습니다')} text={t('A project file with `serve` makes an endpoint when its model passes the gates.', '프로젝트 파일의 serve 항목이 관문을 통과한 모델의 엔드포인트를 만듭니다.')} command="maru run" />} />}</Loaded>;
}
