import { lin } from './base';

/** Line in a table cell. */
export function Spark({ v, w = 96, h = 22, color = 'var(--accent)', area, warnAt, label }: { v: number[]; w?: number; h?: number; color?: string; area?: boolean; warnAt?: number; label?: string }) {
  const a = Math.min(...v, warnAt ?? Infinity), b = Math.max(...v, warnAt ?? -Infinity), X = lin(0, v.length - 1, 1, w - 3), Y = lin(a, b, h - 3, 3);
  const p = v.map((y, i) => `${i ? 'L' : 'M'}${X(i).toFixed(1)} ${Y(y).toFixed(1)}`).join('');
  return (
    <svg width={w} height={h} role="img" aria-label={label ?? 'trend'} style={{ display: 'block', flex: 'none' }}>
      {warnAt != null && <line x1={0} x2={w} y1={Y(warnAt)} y2={Y(warnAt)} stroke="var(--bad-fill)" strokeDasharray="3 3" opacity=".7" />}
      {area && <path d={`${p}L${X(v.length - 1)} ${h}L1 ${h}Z`} fill={color} opacity=".12" />}
      <path d={p} fill="none" stroke={color} strokeWidth="1.5" strokeLinejoin="round" /><circle cx={X(v.length - 1)} cy={Y(v[v.length - 1])} r="2" fill={color} />
    </svg>
  );
}
