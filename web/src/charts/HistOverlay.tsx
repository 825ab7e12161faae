import { useFmt, useT } from '../prefs';
import { lin, ticks, useWidth } from './base';

/** Overlay with centre and mode marks for each side. */
export function HistOverlay({ edges, cats, h, marks, height = 190 }: { edges?: number[]; cats?: string[]; h: number[][]; marks?: { old: [number | null, number | null]; cur: [number | null, number | null] }; height?: number }) {
  const t = useT(); const f = useFmt(); const [ref, w] = useWidth<HTMLDivElement>();
  const n = h[0].length, L = 36, R = 8, T = 16, B = 22, iw = Math.max(10, w - L - R), max = Math.max(...h[0], ...h[1]) * 1.06;
  const skew = max > 0.6 && !!edges; const Y = skew ? (v: number) => height - B - Math.sqrt(v / max) * (height - T - B) : lin(0, max, height - B, T);
  const X = (i: number) => L + (i / n) * iw;
  const posX = (v: number) => { if (!edges) return 0; let i = edges.findIndex((e) => e > v) - 1; if (i < 0) i = n - 1; return X(i + (v - edges[i]) / (edges[i + 1] - edges[i])); };
  let d = `M${L} ${height - B}`; h[0].forEach((v, i) => { d += `V${Y(v).toFixed(1)}H${X(i + 1).toFixed(1)}`; }); d += `V${height - B}`;
  const gt = skew ? [0.01, 0.1, 0.5] : ticks(0, max, 3).slice(1);
  const xl = edges ? [0, .25, .5, .75, 1].map((p) => Math.round(p * n)) : [];
  return (
    <div ref={ref}>
      {w > 0 && <svg width={w} height={height} role="img" aria-label={t('Distribution, old and new', '이전·현재 분포')} style={{ display: 'block' }}>
        {gt.map((g) => <g key={g}><line x1={L} x2={w - R} y1={Y(g)} y2={Y(g)} stroke="var(--grid)" /><text x={L - 6} y={Y(g) + 3.5} textAnchor="end" className="ax">{+(g * 100).toFixed(1)}%</text></g>)}
        {h[1].map((v, i) => <rect key={i} x={X(i) + 0.8} width={Math.max(1, iw / n - 1.6)} y={Y(v)} height={Math.max(0, height - B - Y(v))} fill="var(--new)" opacity=".38" rx="1.2"><title>{(cats?.[i] ?? f.sig(edges![i]) + ' – ' + f.sig(edges![i + 1])) + `: ${f.pct(h[0][i], 2)} → ${f.pct(v, 2)}`}</title></rect>)}
        <path d={d} fill="none" stroke="var(--old)" strokeWidth="1.5" strokeLinejoin="round" />
        <line x1={L} x2={w - R} y1={height - B} y2={height - B} stroke="var(--line-2)" />
        {xl.map((i) => <text key={i} x={X(i)} y={height - 7} textAnchor={i === 0 ? 'start' : i === n ? 'end' : 'middle'} className="ax">{f.sig(edges![i], 3)}</text>)}
        {cats && cats.map((c, i) => (iw / n > 34 || i % Math.ceil(46 / (iw / n)) === 0) && <text key={c} x={X(i + 0.5)} y={height - 7} textAnchor="middle" className="ax">{c.length > (iw / n) / 5.6 ? c.slice(0, Math.max(3, Math.floor((iw / n) / 6.2))) + '…' : c}</text>)}
        {marks && edges && ([['old', 'var(--old)'], ['cur', 'var(--new)']] as const).map(([k, c], j) => <g key={k}>
          {marks[k][0] != null && <g><line x1={posX(marks[k][0]!)} x2={posX(marks[k][0]!)} y1={T - 4} y2={height - B} stroke={c} strokeWidth="1.6" strokeDasharray={j ? undefined : '4 3'} /><path d={`M${posX(marks[k][0]!) - 4} ${T - 10}h8l-4 6z`} fill={c} /></g>}
        </g>)}
      </svg>}
    </div>
  );
}
