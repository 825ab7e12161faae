import { History } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { josa } from '../lib/josa';
import { useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Modal } from '../ui/Modal';

export function RollbackDialog({ model, from, to, close }: { model: string; from: number; to: number; close(): void }) {
  const t = useT(); const [reason, setReason] = useState('');
  const act = useChange<Schemas['AliasResult']>(() => ({ path: `/models/${encodeURIComponent(model)}/rollback`, method: 'POST', body: { reason: reason || 'roll-back' } }));
  const title = t(`Roll back ${model} from v${from} to v${to}`, `${model} v${from} → v${to} 되돌리기`);
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={title}>
      <form style={{ padding: 20, display: 'grid', gap: 14 }} onSubmit={(e) => { e.preventDefault(); act.mutate(undefined, { onSuccess: close }); }}>
        <h2 style={{ fontSize: 16 }}>{title}</h2><p className="t2">{t(`When this returns, every later request of @champion is answered by v${to}. No request fails.`, `완료되면 @champion의 이후 요청은 모두 ${josa('v' + to, '이/가')} 답합니다. 실패하는 요청은 없습니다.`)}</p>
        <div className="field"><label htmlFor="why-back">{t('Reason', '사유')}</label><input id="why-back" className="input" value={reason} onChange={(e) => setReason(e.target.value)} /></div>
        <div className="code" tabIndex={0}>maru model rollback {model}</div>{act.error && <ErrorNote error={act.error} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={close}>{t('Cancel', '취소')}</button><button className="btn danger" disabled={act.isPending}><History size={13} />{t('Roll back', '되돌리기')}</button></div>
      </form>
    </Modal>
  );
}
