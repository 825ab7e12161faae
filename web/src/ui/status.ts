import { AlertTriangle, CheckCircle2, Circle, CircleDashed, Loader2, MinusCircle, RefreshCw, XCircle } from 'lucide-react';
import { useT } from '../prefs';

export type Status = 'ok' | 'warn' | 'bad' | 'run' | 'idle' | 'wait' | 'skip' | 'cached' | 'retry';
export const statusIcon = { ok: CheckCircle2, warn: AlertTriangle, bad: XCircle, run: Loader2, idle: Circle, wait: CircleDashed, skip: MinusCircle, cached: RefreshCw, retry: RefreshCw };
export const tone = (s: Status) => (s === 'wait' || s === 'skip' ? 'idle' : s === 'cached' ? 'ok' : s === 'retry' ? 'warn' : s);
export function useStatusWord() {
  const t = useT();
  return (s: Status) => ({ ok: t('OK', '정상'), warn: t('Warning', '주의'), bad: t('Failed', '실패'), run: t('Running', '실행 중'), idle: t('Idle', '대기'), wait: t('Waiting', '대기 중'), skip: t('Skipped', '건너뜀'), cached: t('Cached', '캐시됨'), retry: t('Retrying', '재시도') })[s];
}
