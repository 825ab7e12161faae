import { describe, expect, it } from 'vitest';
import { formatters } from '../src/lib/format';
import { actionWord, alertTitle, anomalyFix, anomalyText, causeText, driftReason, gateName } from '../src/lib/say';
import { triggerWord } from '../src/lib/words';

const en = (a: string, _b: string) => a, ko = (_a: string, b: string) => b;
const f = formatters('ko');
describe('alerts', () => {
  it('counts the columns', () => {
    expect(alertTitle(en, f, { kind: 'drift', message: 'm', columns: ['a', 'b'] })).toBe('2 columns drifted from training');
    expect(alertTitle(ko, f, { kind: 'drift', message: 'm', columns: ['온도'] })).toBe('온도가 학습 때와 달라졌습니다');
  });
  it('tells a fall in quality from its evidence', () => expect(alertTitle(ko, f, { kind: 'performance', message: 'm', columns: [], evidence: { metric: 'roc_auc', realised: 0.6, low: 0.55, high: 0.65, reference: 0.7 } })).toBe('AUC 저하: 0.600 [0.550, 0.650], 학습 당시 0.700'));
  it('keeps the server’s text for what it does not know', () => { expect(alertTitle(ko, f, { kind: 'other', message: 'disk', columns: [] })).toBe('disk'); expect(alertTitle(ko, f, { kind: 'performance', message: 'm', columns: [] })).toBe('m'); });
});
describe('anomalies', () => it('speak by kind', () => { expect(anomalyText(ko, { kind: 'schema_new_column', message: 'new' })).toBe('스키마에 없는 새 열입니다'); expect(anomalyText(en, { kind: 'schema_new_column', message: 'new' })).toBe('new'); expect(anomalyText(ko, { kind: 'x', message: 'new' })).toBe('new'); expect(anomalyFix(ko, { kind: 'schema_new_column', fix: '' })).toBe(''); }));
describe('gates', () => it('name the bound', () => { expect(gateName(en, f, { name: 'roc_auc.min', bound: 0.6 })).toBe('AUC, at least 0.6'); expect(gateName(ko, f, { name: 'rmse.max', bound: 3 })).toBe('RMSE 3 이하'); expect(gateName(ko, f, { name: 'roc_auc.not_worse_than', bound: 'champion' })).toBe('AUC: champion보다 나쁘지 않음'); expect(gateName(en, f, { name: 'latency_p99', bound: '50 ms' })).toBe('Latency p99, at most 50 ms'); }));
describe('drift', () => it('names the measure', () => { expect(driftReason(ko, f, { reason: 'ks 0.26, limit 0.02 at p 0', measures: { ks: 0.26 } })).toBe('두 분포의 최대 차이가 0.26입니다(콜모고로프–스미르노프) (기준 0.02).'); expect(driftReason(ko, f, { reason: 'new values' })).toBe('new values'); }));
describe('changes', () => it('drop ids and lists', () => {
  expect(actionWord(ko, 'alias.set')).toBe('승격'); expect(actionWord(en, 'x.y')).toBe('x.y');
  expect(causeText(en, f, 'monitor:flights:drift: 10 columns drifted from training: a, b, ...')).toBe('10 columns drifted from training');
  expect(causeText(ko, f, 'v2: gates passed in run 01a1fdc5bee379118e2d71d779ad36b6')).toBe('v2, 실행 79ad36b6의 관문 모두 통과');
  expect(causeText(en, f, '/home/tmp/upload-01a1fdd9b4927e709dcb66282b8eee7c.csv')).toBe('uploaded in the browser'); expect(triggerWord(ko, 'monitor:flights:drift: 10 columns drifted')).toBe('모니터 · flights 드리프트');
}));
describe('numbers', () => it('show whole numbers whole', () => { expect(f.sig(2013)).toBe('2013'); expect(f.sig(1401)).toBe('1401'); expect(f.sig(12345.6)).toBe('12,346'); expect(f.sig(1234.5)).toBe('1235'); expect(f.sig(0.12345)).toBe('0.123'); expect(f.us(1.41)).toBe('1.4 µs'); expect(f.dur(0)).toBe('0 s'); }));
