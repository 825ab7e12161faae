// Every code that the server can send has words in both languages. The codes are read out of the server's own source: one place, no list to keep.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ACTIONS, ANOMALY_KO, FIX_KO, actionWord, alertTitle, anomalyText } from '../src/lib/say';
import { ERRORS, STAGES, STATES, TASKS, TRIGGERS, type Words } from '../src/lib/words';
import { formatters } from '../src/lib/format';

const root = new URL('../..', import.meta.url).pathname;
/** The first group of every match in the files of these folders (or in these files); a comment is no code. */
function codes(from: string, found: RegExp): string[] {
  const out = new Set<string>(); const files = from.split(' ').flatMap((p) => (p.endsWith('.cpp') ? [root + p] : readdirSync(root + p, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.cpp')).map((f) => `${root}${p}/${f}`)));
  for (const file of files) for (const m of readFileSync(file, 'utf8').replace(/^\s*\/\/.*$/gm, '').matchAll(found)) out.add(m[1]);
  return [...out].sort();
}
const both = (words: Words, code: string) => (words[code]?.[0] && /[가-힣]/.test(words[code][1]) ? '' : code);
const missing = (words: Words, list: string[]) => list.map((c) => both(words, c)).filter(Boolean);

describe('the words of what the server sends', () => {
  const states = [...codes('src/operation/pipeline/src/spec.cpp', /return "([a-z]+)";/g), ...codes('src/operation/serve/src/control.cpp', /state = (?:[^;]*\? )?"([a-z]+)"/g), ...codes('src/operation/serve/src/control.cpp', /state = [^;]*: "([a-z]+)"/g),
    ...codes('src/operation/tracking/src', /\bstate(?:_| ==| =|\.state =)[^;"]*"(ready|foreign|failed|pending|deleted|active)"/g), ...codes('src/learning/tune/src', /trial\.state = (?:cut \? )?"([a-z]+)"/g), 'stopped', 'foreign', 'RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];
  it('states', () => { expect(states.length).toBeGreaterThan(14); expect(missing(STATES, states)).toEqual([]); });
  it('error codes', () => { const list = codes('src/foundation/base/src/result.cpp', /\{"([A-Z_]+)", \d+, \d+\}/g); expect(list.length).toBeGreaterThan(14); expect(missing(ERRORS, list)).toEqual([]); });
  it('actions of the audit log', () => {
    const list = [...codes('src/product/api/src src/product/app/src', /\baudit\(\s*\{?[^;{}]*?"([a-z]+\.[a-z_]+)"/g), ...codes('src/operation/tracking/src', /append_audit\([^;]*?"([a-z]+\.[a-z_]+)"/g)];
    expect(list).toContain('alias.set'); expect(list.length).toBeGreaterThan(10); expect(missing(ACTIONS, list)).toEqual([]); expect(actionWord((_e, k) => k, 'endpoint.put')).toBe('엔드포인트 설정');
  });
  it('triggers of runs', () => { const list = [...codes('src/product/api/src src/product/app/src src/product/steps/src', /"trigger", "([a-z]+)"/g), ...codes('src/product/api/src src/product/app/src src/product/steps/src', /\["trigger"\]\.as_string_or\("([a-z]+)"\)/g), 'schedule', 'monitor']; expect(missing(TRIGGERS, list)).toEqual([]); });
  it('tasks of models', () => expect(missing(TASKS, readFileSync(root + 'src/learning/model/src/signature.cpp', 'utf8').match(/kTasks = \{([^}]*)\}/)![1].match(/[a-z]+/g)!)).toEqual([]));
  it('stages of tasks', () => { const list = codes('src/product/steps/src', /progress\(attempt, "([^"]+)"/g); expect(list.length).toBeGreaterThan(2); expect(missing(STAGES, list)).toEqual([]); });
  it('anomalies and what to do', () => {
    const list = [...codes('src/learning/stats/src/validate.cpp', /\badd\([^,]+,\s*"([a-z_]+)"/g), ...codes('src/learning/stats/src/validate.cpp', /[?:] "([a-z]+(?:_[a-z]+)+)"/g)];
    expect(list.length).toBeGreaterThan(8); for (const kind of list) { expect([kind, ANOMALY_KO[kind]], kind).toEqual([kind, expect.stringMatching(/[가-힣]/)]); expect([kind, FIX_KO[kind]], kind).toEqual([kind, expect.stringMatching(/[가-힣]/)]); }
    expect(anomalyText((_e, k) => k, { kind: list[0], message: 'm' })).toMatch(/[가-힣]/);
  });
  it('alerts', () => {
    const f = formatters('ko'); const list = codes('src/operation/monitor/src', /alert\.kind = "([a-z]+)"/g); expect(list.length).toBeGreaterThan(1);
    for (const kind of list) expect(alertTitle((_e, k) => k, f, { kind, message: 'm', columns: ['a', 'b'], evidence: { metric: 'roc_auc', realised: 0.6, low: 0.5, high: 0.7, reference: 0.8 } }), kind).toMatch(/[가-힣]/);
  });
});
