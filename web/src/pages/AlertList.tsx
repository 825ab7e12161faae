import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { useHref } from '../lib/nav';
import { alertTitle } from '../lib/say';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';

export function AlertList({ alerts, named = false }: { alerts: Schemas['Alert'][]; named?: boolean }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const open = alerts.filter((a) => !a.acknowledged).length;
  const ack = useChange<Schemas['Acknowledged'], string>((id) => ({ path: `/alerts/${id}/acknowledge`, method: 'POST' }));
  return <Panel title={t('Alerts', '알림')} right={open > 0 && <span className="badge warn">{open}</span>} flush>{ack.error && <ErrorNote error={ack.error} />}{alerts.length ? <ul className="list">{[...alerts].sort((a, b) => Number(a.acknowledged) - Number(b.acknowledged) || b.time_us - a.time_us).slice(0, 40).map((a) => <li key={a.id} className="wrap" style={{ alignItems: 'flex-start' }}><span style={{ paddingTop: 2 }}><StatusIcon s={a.acknowledged ? 'ok' : a.severity === 'error' ? 'bad' : 'warn'} /></span><div className="grow" style={{ flexBasis: 220 }}><div className={a.acknowledged ? 't2' : 'm'}>{alertTitle(t, f, a)}</div><div className="t3 fs12">{named && <><A className="link underline" to={href('endpoints', a.endpoint)}>{a.endpoint}</A> · </>}{a.columns.join(', ')}</div></div><span className="t3 fs12 nowrap" title={f.iso(a.time_us)}>{f.ago(a.time_us)}</span>{a.acknowledged ? <span className="t3 fs12">{t('seen', '확인함')}</span> : <button className="btn sm" disabled={ack.isPending} onClick={() => ack.mutate(a.id)}>{t('Acknowledge', '확인')}</button>}</li>)}</ul> : <p className="t3" style={{ padding: '4px 14px 14px' }}>{t('No alert.', '알림이 없습니다.')}</p>}</Panel>;
}
