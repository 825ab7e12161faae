import { statusIcon, tone } from './status';
import { type Status } from './status';

export function StatusIcon({ s, size = 14 }: { s: Status; size?: number }) {
  const I = statusIcon[s];
  return <I size={size} strokeWidth={2.2} className={tone(s) + (s === 'run' ? ' spin' : '')} aria-hidden />;
}
