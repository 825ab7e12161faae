import { Rocket } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { useEffect } from 'react';
import { josa } from '../lib/josa';
import { useFmt, useT } from '../prefs';
import { metricLabel } from '../lib/words';
import { ErrorNote } from '../ui/ErrorNote';
import { Modal } from '../ui/Modal';
import { StatusIcon } from '../ui/StatusIcon';

type Result = Schemas['AliasResult'];

/** Says what would change (a dry run on the server), then asks once. */
export function PromoteDialog({ model, version, close }: { model: string; version: Schemas['ModelVersion']; close(): void }) {
  const t = useT(); const f = useFmt(); const [reason, setReason] = useState('');
  const path = `/models/${encodeURIComponent(model)}/aliases/champion`;
  const dry = useChange<Result>(() => ({ path: path + '?dry_run=true', method: 'PUT', body: { version: version.version } }), { dry: true });
  const real = useChange<Result>(() => ({ path, method: 'PUT', body: { version: version.version, reason } }));
  useEffect(() => { dry.mutate(); }, []); // eslint-disable-line react-hooks/exhaustive-deps
  const failed = version.gates.filter((g) => !g.ok); const metric = version.metric; const from = dry.data?.metrics_from?.[metric]?.value, to = dry.data?.metrics_to?.[metric]?.value;
  const lines = (d: Result) => [
    d.from ? t(`champion moves from v${d.from} to v${d.to}`, `champion이 v${d.from}에서 ${josa('v' + d.to, '으로/로')} 옮겨집니다`) : t(`champion is set to v${d.to}`, `champion이 ${josa('v' + d.to, '으로/로')} 정해집니다`),
    ...(d.endpoints ?? []).map((e) => t(`endpoint ${e} answers every later request with v${d.to}${d.from ? `; v${d.from} stays warm for a roll-back` : ''}`, `엔드포인트 ${josa(e, '이/가')} 이후 요청에 모두 ${josa('v' + d.to, '으로/로')} 답합니다${d.from ? `. v${d.from}은 되돌릴 수 있게 준비해 둡니다` : ''}`)),
  ];
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={t(`Promote v${version.version} to @champion`, `${josa('v' + version.version, '을/를')} @champion으로 승격`)}>
      <form style={{ padding: 20, display: 'grid', gap: 14 }} onSubmit={(e) => { e.preventDefault(); real.mutate(undefined, { onSuccess: close }); }}>
        <h2 style={{ fontSize: 16 }}>{t(`Promote v${version.version} to @champion`, `${josa('v' + version.version, '을/를')} @champion으로 승격`)}</h2>
        {dry.data && <ul className="col" style={{ gap: 5 }} aria-label={t('What changes', '바뀌는 것')}>{lines(dry.data).map((c) => <li key={c} className="row" style={{ alignItems: 'flex-start' }}><span style={{ marginTop: 3 }}><StatusIcon s="ok" size={13} /></span><span>{c}</span></li>)}</ul>}
        {from != null && to != null && <p className="t2 num">{metricLabel(t, metric)} {f.fix(from, 4)} → <b>{f.fix(to, 4)}</b></p>}
        {failed.length > 0 && <div className="note n-warn"><StatusIcon s="warn" /><div className="t2">{t(`${failed.length} gates failed. Say why it is promoted all the same; the reason is recorded.`, `관문 ${failed.length}개가 실패했습니다. 그래도 승격하는 이유를 적어 주세요. 기록됩니다.`)}</div></div>}
        <div className="field"><label htmlFor="why">{t('Reason', '사유')}</label><input id="why" className="input" required={failed.length > 0} value={reason} onChange={(e) => setReason(e.target.value)} /></div>
        <div className="code" tabIndex={0}>maru model promote {model}/{version.version}</div>
        {(dry.error || real.error) && <ErrorNote error={(real.error ?? dry.error)!} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={close}>{t('Cancel', '취소')}</button><button className="btn primary" disabled={real.isPending || !dry.data}><Rocket size={13} />{t('Promote', '승격')}</button></div>
      </form>
    </Modal>
  );
}
