import { type ReactNode } from 'react';
import { tone } from './status';
import { StatusIcon } from './StatusIcon';
import { useStatusWord } from './status';
import { type Status } from './status';

export function Chip({ s, children, className = '', icon: ic = true, title }: { s?: Status | 'accent' | 'plain' | 'sq' | 'alias'; children?: ReactNode; className?: string; icon?: boolean; title?: string }) {
  const w = useStatusWord();
  const st = s && !['accent', 'plain', 'sq', 'alias'].includes(s) ? (s as Status) : null;
  return <span title={title} className={`chip ${st ? tone(st) : s ?? ''} ${className}`}>{st && ic && <StatusIcon s={st} size={12} />}{children ?? (st && w(st))}</span>;
}
