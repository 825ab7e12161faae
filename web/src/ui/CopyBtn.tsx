import { Check, Copy } from 'lucide-react';
import { useState } from 'react';
import { useT } from '../prefs';

export function CopyBtn({ text, small }: { text: string; small?: boolean }) {
  const [done, set] = useState(false); const t = useT();
  return <button className={'btn ghost icon ' + (small ? 'sm' : 'sm')} aria-label={t('Copy', '복사')} onClick={() => { navigator.clipboard?.writeText(text); set(true); setTimeout(() => set(false), 1200); }}>{done ? <Check size={13} className="ok" /> : <Copy size={13} />}</button>;
}
