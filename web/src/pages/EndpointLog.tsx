import { num, type Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useFmt, useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';

export function EndpointLog({ endpoint }: { endpoint: string }) {
  const t = useT(); const f = useFmt(); const q = useApi<Schemas['LogRows']>(`/endpoints/${encodeURIComponent(endpoint)}/log?limit=50`, { live: 5000 });
  return <Panel title={t('Last requests', '최근 요청')} flush>{q.error && <ErrorNote error={q.error} />}{q.data && (q.data.rows.length ? <div className="tscroll tall" tabIndex={0} style={{ maxHeight: 460 }}><table className="tb"><thead><tr><th>{t('Time', '시각')}</th><th>{t('Answer', '응답')}</th><th className="r">{t('Score', '점수')}</th><th className="r">{t('Version', '버전')}</th><th className="r">{t('Took', '소요')}</th><th>{t('Id', '식별자')}</th></tr></thead><tbody>{q.data.rows.map((r) => <tr key={r.id} title={JSON.stringify(r.inputs)}><td className="t2 nowrap" >{f.clock(r.time_us)}</td><td className="m">{f.sig(r.prediction, 5)}</td><td className="r">{f.fix(num(r.score))}</td><td className="r">v{r.version}</td><td className="r t2">{f.us(r.total_us)}</td><td><code className="t3 fs11">{r.id}</code></td></tr>)}</tbody></table></div> : <p className="t3" style={{ padding: '4px 14px 14px' }}>{t('No request is logged yet.', '아직 기록된 요청이 없습니다.')}</p>)}</Panel>;
}
