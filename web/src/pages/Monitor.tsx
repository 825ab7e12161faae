import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';
import { AlertList } from './AlertList';

export function Monitor() {
  const t = useT(); const f = useFmt(); const href = useHref();
  usePage([[t('Monitor', '모니터')]], { cli: 'maru monitor alerts', curl: curl('/alerts') });
  const status = useApi<Schemas['Status']>('/status'); const query = useApi<Schemas['AlertList']>('/alerts', { live: 10000 });
  return <Loaded query={query}>{(d) => { const open = d.alerts.filter((a) => !a.acknowledged).length; return (
    <div className="page"><div className="ph"><div><h1>{open ? t(`Production has moved: ${open} open alerts.`, `운영 상황이 달라졌습니다: 열린 알림 ${open}건.`) : t('Production is still what the models were trained for.', '운영 데이터가 학습 때와 같습니다.')}</h1></div></div>
      {status.data && status.data.endpoints.length > 0 && <Panel title={t('Endpoints', '엔드포인트')} flush><div className="list">{status.data.endpoints.map((e) => <A key={e.name} to={href('endpoints', e.name)}><StatusIcon s={e.drifting ? 'warn' : 'ok'} /><span className="m grow">{e.name} <span className="t3">v{e.version}</span></span><span className="t2">{e.drifting ? t(`${e.drifting} inputs drift`, `입력 ${e.drifting}개 드리프트`) : t('no drift', '드리프트 없음')}</span>{e.realised != null && <span className="num">{metricLabel(t, e.metric)} <b>{f.fix(e.realised)}</b>{e.reference != null && <span className="t3"> ← {f.fix(e.reference)}</span>}</span>}</A>)}</div></Panel>}
      <AlertList alerts={d.alerts} named /></div>); }}</Loaded>;
}
