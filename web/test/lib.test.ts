import { describe, expect, it } from 'vitest';
import { lin, ticks } from '../src/charts/base';
import { formatters } from '../src/lib/format';
import { josa } from '../src/lib/josa';
import { initials, matches } from '../src/lib/match';
import { rebin } from '../src/lib/profile';
import { valueOf } from '../src/lib/row';

describe('formatters', () => {
  const f = formatters('en');
  it('keeps full digits, a true minus and an en dash for the unknown', () => {
    expect(f.int(1234567)).toBe('1,234,567'); expect(f.int(-5)).toBe('−5'); expect(f.fix(NaN)).toBe('–'); expect(f.pct(0.1234)).toBe('12.3%'); expect(f.signed(-0.5, 1)).toBe('−0.5');
  });
  it('scales bytes and durations', () => {
    expect(f.bytes(999)).toBe('999 B'); expect(f.bytes(1500)).toBe('1.5 kB'); expect(f.us(250)).toBe('250 µs'); expect(f.dur(0.25)).toBe('250 ms'); expect(f.dur(75)).toBe('1m 15s'); expect(f.dur(7260)).toBe('2h 01m');
  });
  it('tells ages against a given now', () => { expect(formatters('ko').ago(1e6, 61_000)).toBe('1분 전'); expect(f.ago(0)).toBe('–'); });
});
describe('josa', () => it('chooses by the final consonant', () => { expect(josa('모델', '을/를')).toBe('모델을'); expect(josa('데이터', '이/가')).toBe('데이터가'); expect(josa('v3', '을/를')).toBe('v3을'); expect(josa('v2', '을/를')).toBe('v2를'); }));
describe('match', () => it('finds Korean initials', () => { expect(initials('모델')).toBe('ㅁㄷ'); expect(matches('모델', 'ㅁㄷ')).toBe(true); expect(matches('모델', 'ㄷㅇ')).toBe(false); expect(matches('Models', 'mod')).toBe(true); }));
describe('scales', () => it('maps and ticks', () => { expect(lin(0, 10, 0, 100)(5)).toBe(50); expect(ticks(0, 1, 4)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]); }));
describe('rebin', () => it('keeps the total', () => { const r = rebin([{ low: 0, high: 2, count: 10 }, { low: 2, high: 4, count: 30 }], [0, 1, 4]); expect(r[0]).toBeCloseTo(5); expect(r[1]).toBeCloseTo(35); }));
describe('valueOf', () => it('follows the signature', () => { expect(valueOf({ name: 'a', kind: 'integer', required: true }, '5')).toBe(5); expect(valueOf({ name: 'a', kind: 'text', required: true }, '5')).toBe('5'); expect(valueOf({ name: 'a', kind: 'number', required: true }, '')).toBeNull(); }));
