

/** Rows × columns; value shown on hover and to screen readers; hatch marks a breach so that colour is not the only sign. */
export function Heat({ rows, cols, v, breach, onPick, cell = 22, label }: { rows: string[]; cols: string[]; v: number[][]; breach: number; onPick?(r: string): void; cell?: number; label: string }) {
  return (
    <div role="group" aria-label={label} style={{ display: 'grid', gridTemplateColumns: `minmax(84px, max-content) repeat(${cols.length}, minmax(6px, 1fr))`, gap: 2, alignItems: 'center', fontSize: 11 }}>
      {rows.map((r, i) => [<button key={r} className="mono trunc t2" style={{ fontSize: 11, paddingRight: 8, height: cell + 2, minHeight: 24, margin: '-1px 0' }} onClick={() => onPick?.(r)}>{r}<span className="sr"> max {Math.max(...v[i]).toFixed(3)}, {v[i].filter((x) => x > breach).length}</span></button>,
        ...v[i].map((x, j) => { const p = Math.min(1, x / (breach * 1.7)); const b = x > breach; return <i key={j} aria-hidden title={`${r} · ${cols[j]}: ${x.toFixed(3)}${b ? ' ▲' : ''}`} style={{ height: cell, borderRadius: 2.5, background: `color-mix(in srgb, ${b ? 'var(--bad-fill)' : 'var(--heat-1)'} ${Math.round((b ? 0.55 + 0.45 * p : p * 0.62) * 100)}%, var(--heat-0))`, backgroundImage: undefined, boxShadow: b ? 'inset 0 0 0 1.5px var(--bad)' : undefined }} />; })])}
      <span />{cols.map((c, j) => <span key={j} className="t3" style={{ fontSize: 10, textAlign: 'center', overflow: 'visible', whiteSpace: 'nowrap' }}>{j % 7 === 0 ? c : ''}</span>)}
    </div>
  );
}
