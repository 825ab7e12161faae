import { type ReactNode } from 'react';

export function Tabs<T extends string>({ value, onChange, items, label }: { value: T; onChange(v: NoInfer<T>): void; items: [NoInfer<T>, ReactNode][]; label: string }) {
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={(e) => {
      const d = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0; if (!d) return;
      const i = items.findIndex((x) => x[0] === value), n = items[(i + d + items.length) % items.length][0];
      onChange(n); (e.currentTarget.querySelector(`[data-v="${n}"]`) as HTMLElement)?.focus();
    }}>
      {items.map(([v, l]) => <button key={v} data-v={v} role="tab" aria-selected={v === value} tabIndex={v === value ? 0 : -1} onClick={() => onChange(v)}>{l}</button>)}
    </div>
  );
}
