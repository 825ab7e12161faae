import { describe, expect, it } from 'vitest';
import { lin, ticks } from '../src/charts/base';
import { formatters, singular } from '../src/lib/format';
import { josa } from '../src/lib/josa';
import { initials, matches } from '../src/lib/match';
import { rebin } from '../src/lib/profile';
import { valueOf } from '../src/lib/row';
import { spanEnd, tokensOf, traceFilter, unfolded, type Span, type Trace } from '../src/lib/trace';

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
describe('plurals', () => it('drop the s after exactly one', () => { expect(singular('1 models, 2 versions')).toBe('1 model, 2 versions'); expect(singular('21 runs and 0.1 tokens')).toBe('21 runs and 0.1 tokens'); expect(singular('1,001 rows')).toBe('1,001 rows'); }));
describe('traces', () => {
  it('take words and filters', () => { expect(traceFilter("it's", '')).toBe("(name ILIKE '%it''s%' OR trace.text ILIKE '%it''s%')"); expect(traceFilter("tags.user = 'kim'", 'OK')).toBe("(tags.user = 'kim') AND status = 'OK'"); expect(traceFilter(' ', 'ERROR')).toBe("status = 'ERROR'"); });
  it('count tokens where they are told', () => { const of = (text?: string) => tokensOf({ metadata: text ? { 'mlflow.trace.tokenUsage': text } : {} } as unknown as Trace); expect(of('{"input_tokens":3,"output_tokens":4}')).toEqual({ input: 3, output: 4, total: 7 }); expect(of()).toBeNull(); expect(of('{')).toBeNull(); });
  it('fold what is below', () => { const spans = [{ id: 'a', depth: 0 }, { id: 'b', depth: 1 }, { id: 'c', depth: 2 }, { id: 'd', depth: 1 }]; expect(unfolded(spans, new Set(['b'])).map((s) => [s.id, s.kids])).toEqual([['a', 3], ['b', 1], ['d', 0]]); expect(unfolded(spans, new Set(['a'])).length).toBe(1); expect(spanEnd([{ start_ms: 2, duration_ms: 5 } as Span, { start_ms: 4 } as Span])).toBe(7); });
});
