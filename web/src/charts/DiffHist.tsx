import { useFmt, useT } from '../prefs';
import { lin, useWidth } from './base';

/** Differences around zero as bars; those near zero in the quiet colour. Heights by square root, so that rare large ones are seen. */
export function DiffHist({ from, to, counts, height = 130 }: { from: number; to: number; counts: number[]; height?: number }) {
  const t = useT(); const f = useFmt(); const [ref, w] = useWidth<HTMLDivElement>(); const B = 20, n = counts.length, most = Math.sqrt(Math.max(1, ...counts));
  const X = lin(0, n, 2, Math.max(3, w - 2)); const step = (to - from) / n, middle = (n - 1) / 2;
  return (
    <div ref={ref}>{w > 0 && <svg width={w} height={height} role="img" aria-label={t(`Differences from ${f.sig(from)} to ${f.sig(to)}`, `${f.sig(from)}부터 ${f.sig(to)}까지의 차이`)} style={{ display: 'block' }}>
      {counts.map((c, i) => { const h = (Math.sqrt(c) / most) * (height - B - 4); return <rect key={i} x={X(i) + 0.8} width={Math.max(1, X(i + 1) - X(i) - 1.6)} y={height - B - h} height={h} rx="1.2" fill={Math.abs(i - middle) < 3.5 ? 'var(--c1)' : 'var(--c4)'} opacity=".8"><title>{`${f.sig(from + i * step)} – ${f.sig(from + (i + 1) * step)}: ${f.int(c)}`}</title></rect>; })}
      <line x1={2} x2={w - 2} y1={height - B} y2={height - B} stroke="var(--line-2)" />
      {[0, n / 2, n].map((i) => <text key={i} x={X(i)} y={height - 5} textAnchor={i === 0 ? 'start' : i === n ? 'end' : 'middle'} className="ax">{i === n / 2 ? '0' : f.sig(from + i * step, 2)}</text>)}
    </svg>}</div>
  );
}
