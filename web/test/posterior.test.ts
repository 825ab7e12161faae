import { expect, test } from 'vitest';
import { posteriors } from '../src/lib/posterior';

test('the peak lies at the mean, the sharper curve is the higher one', () => {
  const { curves, range } = posteriors([{ mean: 0.2, rewards: 1000 }, { mean: 0.3, rewards: 100 }]);
  const peak = (i: number) => curves[i].x[curves[i].y.indexOf(Math.max(...curves[i].y))];
  expect(peak(0)).toBeCloseTo(0.2, 2); expect(peak(1)).toBeCloseTo(0.3, 2);
  expect(Math.max(...curves[0].y)).toBeCloseTo(1, 1); expect(Math.max(...curves[1].y)).toBeLessThan(0.4);
  expect(range[0]).toBeGreaterThanOrEqual(0); expect(range[1]).toBeLessThanOrEqual(1);
});
test('no success and no failure stay drawable', () => {
  for (const mean of [0, 1]) for (const c of posteriors([{ mean, rewards: 50 }, { mean: 0.5, rewards: 3 }]).curves) expect(c.y.every(Number.isFinite)).toBe(true);
});
