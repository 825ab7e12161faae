

/** Old as outline, new as fill: readable without colour. */
export function SparkHist({ old, cur, w = 132, h = 26 }: { old: number[]; cur: number[]; w?: number; h?: number }) {
  const m = Math.sqrt(Math.max(...old, ...cur)), n = old.length, bw = w / n, y = (v: number) => h - 1 - (Math.sqrt(v) / m) * (h - 3);
  let d = `M0 ${h - 0.5}`; old.forEach((v, i) => { d += `V${y(v).toFixed(1)}H${((i + 1) * bw).toFixed(1)}`; }); d += `V${h - 0.5}`;
  return (
    <svg width={w} height={h} style={{ display: 'block' }} aria-hidden>
      {cur.map((v, i) => <rect key={i} x={i * bw + 0.4} width={Math.max(1, bw - 0.8)} y={y(v)} height={h - 0.5 - y(v)} fill="var(--new)" opacity=".42" rx=".6" />)}
      <path d={d} fill="none" stroke="var(--old)" strokeWidth="1.1" />
    </svg>
  );
}
