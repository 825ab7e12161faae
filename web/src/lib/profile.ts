import { num, type Schemas } from '../api/client';

type Column = Schemas['ColumnProfile'];
export type Overlay = { edges?: number[]; cats?: string[]; h: [number[], number[]] };

const shares = (counts: number[]) => { const s = counts.reduce((a, b) => a + b, 0) || 1; return counts.map((c) => c / s); };

/** Spreads bins over other edges, assuming an even spread inside a bin. */
export function rebin(bins: { low: number; high: number; count: number }[], edges: number[]): number[] {
  return edges.slice(0, -1).map((a, i) => {
    const b = edges[i + 1]; let sum = 0;
    for (const x of bins) {
      if (x.high <= x.low) { if (x.low >= a && (x.low < b || (i === edges.length - 2 && x.low <= b))) sum += x.count; continue; }
      const overlap = Math.min(b, x.high) - Math.max(a, x.low);
      if (overlap > 0) sum += (x.count * overlap) / (x.high - x.low);
    }
    return sum;
  });
}

/** The two distributions of a column on one axis, as shares; the old one is flat when there is none. */
export function overlay(now: Column, before?: Column): Overlay | null {
  const bins = now.histogram;
  if (bins.length > 0) {
    const old = before?.histogram ?? [];
    const lo = Math.min(bins[0].low, old[0]?.low ?? Infinity), hi = Math.max(bins[bins.length - 1].high, old[old.length - 1]?.high ?? -Infinity);
    const n = Math.min(30, Math.max(bins.length, old.length)); const top = hi > lo ? hi : lo + 1;
    const edges = old.length ? Array.from({ length: n + 1 }, (_, i) => lo + ((top - lo) * i) / n) : [...bins.map((b) => b.low), bins[bins.length - 1].high > bins[bins.length - 1].low ? bins[bins.length - 1].high : bins[bins.length - 1].low + 1];
    const cur = old.length ? rebin(bins, edges) : bins.map((b) => b.count);
    return { edges, h: [shares(old.length ? rebin(old, edges) : cur.map(() => 0)), shares(cur)] };
  }
  if (now.top.length > 0) {
    const names = [...new Set([...now.top, ...(before?.top ?? [])].map((x) => String(x.value)))].slice(0, 12);
    const of = (c?: Column) => names.map((v) => (c?.top.find((x) => String(x.value) === v)?.count ?? 0) / Math.max(1, c?.count ?? 1));
    return { cats: names, h: [of(before), of(now)] };
  }
  return null;
}
export const missingShare = (c: Column) => { const n = c.count + c.missing; return n > 0 ? c.missing / Math.max(n, 1) : 0; };
export const median = (c: Column): unknown => num(c.quantiles['0.5']) ?? (c.top[0]?.value ?? null);
