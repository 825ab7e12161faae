export interface Density { x: number[]; y: number[] }
/** Beta(1 + successes, 1 + failures) of each arm on one scale of reward; the highest of all peaks is 1. */
export function posteriors(arms: { mean: number | null; rewards: number }[], points = 160): { curves: Density[]; range: [number, number] } {
  const shapes = arms.map((a) => { const n = a.rewards, s = (a.mean ?? 0) * n; return { a: 1 + s, b: 1 + n - s }; });
  const spread = ({ a, b }: { a: number; b: number }) => Math.sqrt((a * b) / ((a + b) ** 2 * (a + b + 1)));
  const middle = ({ a, b }: { a: number; b: number }) => a / (a + b);
  const low = Math.max(0, Math.min(...shapes.map((s) => middle(s) - 4 * spread(s)))), high = Math.min(1, Math.max(...shapes.map((s) => middle(s) + 4 * spread(s))));
  const sharpest = Math.min(...shapes.map(spread));
  const curves = shapes.map((s) => {
    const x = Array.from({ length: points }, (_, i) => low + ((i + 0.5) / points) * (high - low));
    const log = (v: number) => (s.a - 1) * Math.log(v) + (s.b - 1) * Math.log(1 - v);
    const mode = Math.min(1 - 1e-9, Math.max(1e-9, (s.a - 1) / Math.max(1e-9, s.a + s.b - 2))); const top = log(mode);
    return { x, y: x.map((v) => (Math.exp(log(v) - top) * sharpest) / spread(s)) };
  });
  return { curves, range: [low, high] };
}
