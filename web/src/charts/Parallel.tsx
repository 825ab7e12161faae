import { useEffect, useMemo, useRef, useState } from 'react';
import { usePrefs, useFmt } from '../prefs';
import { css, useWidth } from './base';

export type ParallelRun = { id: string; label: string; color: string; values: (number | string | null)[] };
type Axis = { name: string; words: string[] | null; lo: number; hi: number };
const T = 30, B = 14;

/** Each run is a line over the axes. Drag on an axis keeps the runs within; a click takes it back. Canvas, so that 500 lines stay light. */
export function Parallel({ axes: names, runs, label, height = 300, onKeep }: { axes: string[]; runs: ParallelRun[]; label: string; height?: number; onKeep?(ids: Set<string> | null): void }) {
  const [box, w] = useWidth<HTMLDivElement>(); const canvas = useRef<HTMLCanvasElement>(null); const { theme } = usePrefs(); const f = useFmt(); const [over, setOver] = useState<string | null>(null); const [brush, setBrush] = useState<Record<string, [number, number]>>({}); const drag = useRef<{ axis: number; from: number } | null>(null);
  const axes = useMemo((): Axis[] => names.map((name, i) => {
    const v = runs.map((r) => r.values[i]).filter((x): x is number | string => x != null); const n = v.map(Number);
    if (v.length && n.every(Number.isFinite)) { const lo = Math.min(...n), hi = Math.max(...n); return { name, words: null, lo, hi: hi === lo ? lo + 1 : hi }; }
    const words = [...new Set(v.map(String))].sort(); return { name, words, lo: 0, hi: Math.max(1, words.length - 1) };
  }), [names, runs]);
  const L = 64, R = 64; const X = (i: number) => (axes.length < 2 ? w / 2 : L + ((w - L - R) * i) / (axes.length - 1));
  const share = (a: Axis, v: number | string | null) => (v == null ? null : ((a.words ? a.words.indexOf(String(v)) : Number(v)) - a.lo) / (a.hi - a.lo));
  const Y = (s: number) => height - B - s * (height - T - B);
  const kept = useMemo(() => new Set(runs.filter((r) => axes.every((a, i) => { const k = brush[a.name]; if (!k) return true; const s = share(a, r.values[i]); return s != null && s >= k[0] && s <= k[1]; })).map((r) => r.id)), [runs, axes, brush]);
  const told = useRef(onKeep); told.current = onKeep; useEffect(() => { told.current?.(Object.keys(brush).length ? kept : null); }, [kept, brush]);
  useEffect(() => {
    const c = canvas.current; if (!c || !w) return; const d = devicePixelRatio; c.width = w * d; c.height = height * d; const g = c.getContext('2d')!; g.scale(d, d); g.lineJoin = 'round';
    const res = (k: string) => (k.startsWith('var(') ? css(k.slice(4, -1)) : k); const many = runs.length > 40;
    const path = (r: ParallelRun) => { g.beginPath(); let was: [number, number] | null = null; axes.forEach((a, i) => { const s = share(a, r.values[i]); if (s == null) { was = null; return; } const x = X(i), y = Y(s); if (was) g.bezierCurveTo((was[0] + x) / 2, was[1], (was[0] + x) / 2, y, x, y); else g.moveTo(x, y); was = [x, y]; }); g.stroke(); };
    g.strokeStyle = css('--line-2'); g.lineWidth = 1; axes.forEach((_, i) => { g.beginPath(); g.moveTo(X(i), T); g.lineTo(X(i), height - B); g.stroke(); });
    for (const r of runs) if (!kept.has(r.id)) { g.strokeStyle = css('--line-2'); g.globalAlpha = 0.35; g.lineWidth = 0.8; path(r); }
    for (const r of runs) if (kept.has(r.id) && r.id !== over) { g.strokeStyle = res(r.color); g.globalAlpha = over ? 0.15 : many ? 0.4 : 0.85; g.lineWidth = many ? 1.1 : 1.7; path(r); }
    const top = runs.find((r) => r.id === over); if (top) { g.globalAlpha = 1; g.lineWidth = 2.6; g.strokeStyle = res(top.color); path(top); } g.globalAlpha = 1;
    g.font = `600 11px ${css('--font')}`; g.textAlign = 'center'; const room = axes.length > 1 ? (w - L - R) / (axes.length - 1) - 10 : w;
    axes.forEach((a, i) => {
      g.font = `600 11px ${css('--font')}`; g.fillStyle = css('--text'); let name = a.name; while (name.length > 3 && g.measureText(name).width > Math.max(60, room)) name = name.slice(0, -2); if (name !== a.name) name += '…'; g.fillText(name, X(i), 11);
      g.font = `10.5px ${css('--font')}`; const ends = i === axes.length - 1; g.textAlign = ends ? 'left' : 'right'; const put = (text: string, y: number) => { const x = X(i) + (ends ? 6 : -6); const short = text.length > 10 ? text.slice(0, 9) + '…' : text; const m = g.measureText(short).width; g.fillStyle = css('--panel'); g.globalAlpha = 0.75; g.fillRect(ends ? x - 2 : x - m - 2, y - 6, m + 4, 13); g.globalAlpha = 1; g.fillStyle = css('--text-3'); g.fillText(short, x, y + 4); };
      if (a.words) a.words.slice(0, 12).forEach((word, k) => put(word, Y(a.words!.length > 1 ? k / (a.words!.length - 1) : 0))); else { put(f.sig(a.hi, 4), Y(1)); put(f.sig((a.lo + a.hi) / 2, 3), Y(0.5)); put(f.sig(a.lo, 4), Y(0)); } g.textAlign = 'center';
      const k = brush[a.name]; if (k) { g.fillStyle = css('--accent'); g.globalAlpha = 0.18; g.fillRect(X(i) - 7, Y(k[1]), 14, Y(k[0]) - Y(k[1])); g.globalAlpha = 1; g.strokeStyle = css('--accent'); g.lineWidth = 1; g.strokeRect(X(i) - 7, Y(k[1]), 14, Y(k[0]) - Y(k[1])); }
    });
  }, [w, height, runs, axes, kept, over, brush, theme]); // eslint-disable-line react-hooks/exhaustive-deps
  const at = (e: React.PointerEvent) => { const b = canvas.current!.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top] as const; };
  const level = (y: number) => Math.max(0, Math.min(1, (height - B - y) / (height - T - B)));
  const near = (x: number) => { let best = -1, d = 12; axes.forEach((_, i) => { const k = Math.abs(X(i) - x); if (k < d) { d = k; best = i; } }); return best; };
  const shown = runs.find((r) => r.id === over);
  return (
    <div ref={box} style={{ position: 'relative', minHeight: height }}>{w > 0 && <canvas ref={canvas} className="pc" role="img" aria-label={label} style={{ height }}
      onPointerDown={(e) => { const [x, y] = at(e); const i = near(x); if (i >= 0) { drag.current = { axis: i, from: y }; e.currentTarget.setPointerCapture(e.pointerId); } }}
      onPointerMove={(e) => {
        const [x, y] = at(e); const g = drag.current; if (g) { if (Math.abs(y - g.from) > 3) { const s = [level(y), level(g.from)].sort((p, q) => p - q) as [number, number]; setBrush((old) => ({ ...old, [axes[g.axis].name]: s })); } return; }
        let best: string | null = null, d = 7; const k = axes.findIndex((_, i) => i + 1 < axes.length && x >= X(i) && x <= X(i + 1)); if (k >= 0) for (const r of runs) { if (!kept.has(r.id)) continue; const p = share(axes[k], r.values[k]), q = share(axes[k + 1], r.values[k + 1]); if (p == null || q == null) continue; const u = (x - X(k)) / (X(k + 1) - X(k)), m = u * u * (3 - 2 * u); const dd = Math.abs(Y(p) + (Y(q) - Y(p)) * m - y); if (dd < d) { d = dd; best = r.id; } } setOver(best);
      }}
      onPointerUp={(e) => { const [, y] = at(e); const g = drag.current; drag.current = null; if (g && Math.abs(y - g.from) <= 3) setBrush((old) => { const n = { ...old }; delete n[axes[g.axis].name]; return n; }); }}
      onPointerLeave={() => setOver(null)} />}
      {shown && <div className="tip" style={{ position: 'absolute', right: 0, bottom: 0 }}>{shown.label}{axes.slice(-1).map((a) => { const v = shown.values.at(-1); return ` · ${a.name} ${typeof v === 'number' ? f.sig(v, 5) : v ?? '–'}`; })}</div>}
    </div>
  );
}
