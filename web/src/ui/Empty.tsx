import { Boxes } from 'lucide-react';
import type { ReactNode } from 'react';
import { CopyBtn } from './CopyBtn';

/** What this place is for, and the command that fills it. */
export function Empty({ title, text, command, children }: { title: string; text: string; command?: string; children?: ReactNode }) {
  return (
    <div className="empty"><Boxes size={26} strokeWidth={1.5} /><div className="b fs14">{title}</div><p className="t2">{text}</p>
      {command && <div className="code row" tabIndex={0} style={{ padding: '4px 4px 4px 12px', maxWidth: '100%' }}><span>{command}</span><CopyBtn text={command} /></div>}{children}</div>
  );
}
