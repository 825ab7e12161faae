import { Popover as P } from 'radix-ui';
import { useState, type ReactNode } from 'react';
import { matches } from '../lib/match';
import { useT } from '../prefs';

const MOST = 200; // drawn at once; the search finds the others

/** Which of many: a list with a search; ticks stay in the order they were made. */
export function Picker({ label, icon, groups, value, onChange }: { label: string; icon?: ReactNode; groups: { label: string; items: [string, string][] }[]; value: string[]; onChange(v: string[]): void }) {
  const t = useT(); const [q, setQ] = useState(''); const on = new Set(value); let left = MOST;
  const found = groups.map((g) => ({ ...g, items: g.items.filter(([, text]) => matches(text, q)) }));
  return (
    <P.Root onOpenChange={() => setQ('')}><P.Trigger asChild><button className="btn">{icon}{label} <span className="badge">{value.length}</span></button></P.Trigger>
      <P.Portal><P.Content className="menu picker" align="end" sideOffset={5} collisionPadding={8} aria-label={label}>
        <input className="input" value={q} placeholder={t('Search', '찾기')} aria-label={t('Search', '찾기')} onChange={(e) => setQ(e.target.value)} />
        <div className="opts" tabIndex={0}>{found.map((g) => { const items = g.items.slice(0, Math.max(0, left)); left -= items.length; return g.items.length > 0 && <div key={g.label}><div className="lbl row"><span className="grow">{g.label} {g.items.length}</span><button className="link" onClick={() => onChange(g.items.every(([k]) => on.has(k)) ? value.filter((v) => !g.items.some(([k]) => k === v)) : [...value, ...g.items.map(([k]) => k).filter((k) => !on.has(k))])}>{g.items.every(([k]) => on.has(k)) ? t('none', '모두 끄기') : t('all', '모두')}</button></div>{items.map(([k, text]) => <button key={k} className="mi" role="checkbox" aria-checked={on.has(k)} onClick={() => onChange(on.has(k) ? value.filter((v) => v !== k) : [...value, k])}><span className="check" data-state={on.has(k) ? 'checked' : ''} aria-hidden="true">{on.has(k) ? '✓' : ''}</span><span title={text}>{text}</span></button>)}{items.length < g.items.length && <p className="t3 fs11" style={{ padding: '4px 8px' }}>{t(`${g.items.length - items.length} more: search`, `${g.items.length - items.length}개 더: 찾기로 좁히십시오`)}</p>}</div>; })}</div>
      </P.Content></P.Portal></P.Root>
  );
}
