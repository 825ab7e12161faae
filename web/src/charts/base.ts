import { useLayoutEffect, useRef, useState } from 'react';

export function useWidth<T extends HTMLElement>(): [React.RefObject<T | null>, number] {
  const ref = useRef<T>(null); const [w, set] = useState(0);
  useLayoutEffect(() => {
    const el = ref.current!; set(el.clientWidth);
    const o = new ResizeObserver(() => set(el.clientWidth)); o.observe(el); return () => o.disconnect();
  }, []);
  return [ref, w];
}
export const css = (v: string) => getComputedStyle(document.documentElement).getPropertyValue(v).trim();
export const lin = (d0: number, d1: number, r0: number, r1: number) => (x: number) => r0 + ((x - d0) / (d1 - d0 || 1)) * (r1 - r0);
export function ticks(a: number, b: number, n = 4): number[] {
  const s = (b - a) / n, p = 10 ** Math.floor(Math.log10(s)), m = s / p, st = (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * p, o: number[] = [];
  for (let x = Math.ceil(a / st) * st; x <= b + st * 1e-6; x += st) o.push(+x.toPrecision(12)); return o;
}
/** Exponential smoothing with bias correction. */
export function ema(v: number[], k: number) { if (!k) return v; let m = 0, n = 0; return v.map((x) => { m = m * k + (1 - k) * x; n = n * k + (1 - k); return m / n; }); }
export const SERIES = ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)', 'var(--c7)', 'var(--c8)'];
export const DASH = [[], [7, 3], [2, 3], [8, 3, 2, 3], [4, 4], [1, 3], [10, 4], [6, 2, 1, 2]];
