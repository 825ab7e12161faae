import { useMemo } from 'react';
import { num, type Schemas } from '../api/client';
import { useFmt } from '../prefs';
import { ema } from './base';
import { TimeChart, type Line } from './TimeChart';

export type CurveView = { x: 'step' | 'relative' | 'wall'; log: boolean; smooth: number };
export type CurveOf = Schemas['MetricCurve'] & { label: string; color: string; dash?: number[] };

/** Curves of one metric over steps or time, smoothed here; the raw line stays faint below. */
export function Curves({ curves, view, label, height = 170, sync }: { curves: CurveOf[]; view: CurveView; label: string; height?: number; sync?: string }) {
  const f = useFmt();
  const { xs, lines, time } = useMemo(() => {
    const at = curves.map((c) => c.steps.map((s, i) => (view.x === 'step' ? s : view.x === 'wall' ? c.times_ms[i] / 1000 : (c.times_ms[i] - c.times_ms[0]) / 1000)));
    const all = [...new Set(at.flat())].sort((a, b) => a - b); const place = new Map(all.map((v, i) => [v, i])); const out: Line[] = [];
    curves.forEach((c, k) => {
      const good = c.values.map(num).map((v) => (view.log && v != null && v <= 0 ? null : v)); const put = (v: (number | null)[]) => { const y = new Array<number | null>(all.length).fill(null); v.forEach((one, i) => { if (one != null) y[place.get(at[k][i])!] = one; }); return y; };
      const line = { label: c.label, color: c.color, dash: c.dash };
      if (view.smooth > 0) { const known = good.map((v, i) => [v, i] as const).filter((p): p is [number, number] => p[0] != null); const soft = ema(known.map((p) => p[0]), view.smooth); const y: (number | null)[] = good.map(() => null); known.forEach((p, i) => { y[p[1]] = soft[i]; }); out.push({ ...line, y: put(good), faint: true, width: 1 }, { ...line, y: put(y) }); }
      else out.push({ ...line, y: put(good) });
    });
    return { xs: all, lines: out, time: view.x === 'wall' };
  }, [curves, view.x, view.log, view.smooth]);
  return <TimeChart key={String(view.x) + lines.length} label={label} x={xs} lines={lines} height={height} log={view.log} time={time} sync={sync} yw={54} xfmt={view.x === 'relative' ? (v) => f.dur(v) : undefined} fmt={(v) => f.sig(v, 4)} />;
}
