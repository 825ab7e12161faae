import { type ReactNode } from 'react';

export function Seg<T extends string>({ value, onChange, options, label }: { value: T; onChange(v: NoInfer<T>): void; options: [NoInfer<T>, ReactNode][]; label: string }) {
  return <div className="seg" role="group" aria-label={label}>{options.map(([v, l]) => <button key={v} aria-pressed={v === value} onClick={() => onChange(v)}>{l}</button>)}</div>;
}
