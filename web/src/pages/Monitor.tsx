import { Link } from '@tanstack/react-router';
import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Empty, Head, Loaded } from '../ui/State';
import { ageOf } from './state';

export function Monitor() {
  const t = useT(); const f = useFmt();
  usePage([[t('Monitor', '모니터')]], 'maru monitor alerts', '/alerts');
  useLive(['project:default'], ['/alerts']);
  const alerts = useApi('/alerts');
  return (
    <div className="page"><Head title={t('Is production still what we trained for?', '운영 환경이 학습 때와 같은가요?')} />
      <Panel title={t('Alerts', '알림')} flush><Loaded query={alerts}>{(d) => d.alerts.length === 0 ? <Empty title={t('No alerts', '알림이 없습니다')} text={t('Windows of live predictions are compared with the training data.', '실제 예측 구간을 학습 데이터와 비교합니다.')} command="maru monitor alerts" /> : <table className="tb"><tbody>{d.alerts.map((a: Json) => <tr key={a.id}><td><Chip s={a.acknowledged ? 'skip' : a.severity === 'error' ? 'bad' : 'warn'}>{a.kind === 'drift' ? t('drift', '드리프트') : t('quality', '품질')}</Chip></td><td><Link className="lk" to={('/p/default/endpoints/' + encodeURIComponent(a.endpoint)) as '/'}>{a.endpoint}</Link></td><td>{a.message}</td><td className="r t3">{f.ago(ageOf(a.time_us))}</td></tr>)}</tbody></table>}</Loaded></Panel>
    </div>
  );
}
