import { lin, ticks, useWidth } from './base';

/** Generic XY line plot (ROC, PR, calibration, posterior). */
export function XY({ lines, height = 200, xd = [0, 1], yd = [0, 1], xl, yl, diag, points, label, shade, noY }: { lines: { x: number[]; y: number[]; c: string; dash?: string; name?: string; fill?: boolean; w?: number }[]; height?: number; xd?: [number, number]; yd?: [number, number]; xl?: string; yl?: string; diag?: boolean; points?: { x: number; y: number; r: number; c: string; t?: string }[]; label: string; shade?: [number, number]; noY?: boolean }) {
  const [ref, w] = useWidth<HTMLDivElement>(); const L = noY ? 8 : 34, R = 10, T = 8, B = xl ? 34 : 22;
  const X = lin(xd[0], xd[1], L, w - R), Y = lin(yd[0], yd[1], height - B, T);
  return (
    <div ref={ref}>{w > 0 && <svg width={w} height={height} role="img" aria-label={label} style={{ display: 'block' }}>
      {shade && <rect x={X(shade[0])} width={X(shade[1]) - X(shade[0])} y={T} height={height - B - T} fill="var(--hover)" />}
      {!noY && ticks(yd[0], yd[1], 4).map((g) => <g key={g}><line x1={L} x2={w - R} y1={Y(g)} y2={Y(g)} stroke="var(--grid)" /><text x={L - 6} y={Y(g) + 3.5} textAnchor="end" className="ax">{+g.toFixed(3)}</text></g>)}
      {ticks(xd[0], xd[1], w > 260 ? 5 : 3).map((g) => <g key={g}><line x1={X(g)} x2={X(g)} y1={height - B} y2={height - B + 3} stroke="var(--line-2)" /><text x={X(g)} y={height - B + 14} textAnchor="middle" className="ax">{+g.toFixed(4)}</text></g>)}
      <line x1={L} x2={w - R} y1={height - B} y2={height - B} stroke="var(--line-2)" />
      {diag && <line x1={X(xd[0])} y1={Y(yd[0])} x2={X(xd[1])} y2={Y(yd[1])} stroke="var(--line-2)" strokeDasharray="4 4" />}
      {lines.map((l, i) => { const d = l.x.map((x, k) => `${k ? 'L' : 'M'}${X(x).toFixed(1)} ${Y(l.y[k]).toFixed(1)}`).join(''); return <g key={i}>{l.fill && <path d={`${d}L${X(l.x[l.x.length - 1])} ${Y(yd[0])}L${X(l.x[0])} ${Y(yd[0])}Z`} fill={l.c} opacity=".13" />}<path d={d} fill="none" stroke={l.c} strokeWidth={l.w ?? 1.9} strokeDasharray={l.dash} strokeLinejoin="round"><title>{l.name}</title></path></g>; })}
      {points?.map((p, i) => <circle key={i} cx={X(p.x)} cy={Y(p.y)} r={p.r} fill={p.c} fillOpacity=".55" stroke={p.c}><title>{p.t}</title></circle>)}
      {xl && <text x={(L + w - R) / 2} y={height - 4} textAnchor="middle" className="ax">{xl}</text>}
      {yl && <text x={L} y={T} className="ax" dy="-1">{yl}</text>}
    </svg>}</div>
  );
}
