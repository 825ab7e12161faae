

export function BarsH({ items, max, fmt, color = 'var(--accent)', second }: { items: [string, number, number?][]; max?: number; fmt?(v: number): string; color?: string; second?: string }) {
  const m = max ?? Math.max(...items.flatMap((x) => [x[1], x[2] ?? 0]));
  return (
    <div style={{ display: 'grid', gridTemplateColumns: 'minmax(70px, max-content) 1fr max-content', gap: '5px 10px', alignItems: 'center', fontSize: 12 }}>
      {items.map(([l, v, v2]) => [
        <span key={l + 'l'} className="t2 trunc mono" style={{ fontSize: 11.5 }}>{l}</span>,
        <span key={l + 'b'} style={{ display: 'grid', gap: 2 }}><i style={{ display: 'block', height: v2 != null ? 5 : 9, width: `${(v / m) * 100}%`, minWidth: 1.5, background: color, borderRadius: 2 }} />{v2 != null && <i style={{ display: 'block', height: 5, width: `${(v2 / m) * 100}%`, minWidth: 1.5, background: second ?? 'var(--c2)', borderRadius: 2 }} />}</span>,
        <span key={l + 'v'} className="num t3 right">{fmt ? fmt(v) : (v * 100).toFixed(1)}</span>,
      ])}
    </div>
  );
}
