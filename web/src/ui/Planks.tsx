

export function Planks({ parts, h = 8 }: { parts: { w: number; c: string; label?: string }[]; h?: number }) {
  return <div className="plank" style={{ height: h }} role="img" aria-label={parts.map((p) => p.label).filter(Boolean).join(', ')}>{parts.map((p, i) => <i key={i} title={p.label} style={{ flexGrow: p.w, flexBasis: 0, background: p.c, boxShadow: p.c === 'var(--sunken)' ? undefined : 'none' }} />)}</div>;
}
