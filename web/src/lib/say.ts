import { num, type Schemas } from '../api/client';
import type { formatters } from './format';
import { josa } from './josa';
import { metricLabel, type Words } from './words';

type T = (en: string, ko: string) => string;
type F = ReturnType<typeof formatters>;

/** Sentences in both languages from the fields of an answer; the server's own English text stands in where a kind is not known. */
export function alertTitle(t: T, f: F, a: { kind: string; message: string; columns: string[]; evidence?: unknown }): string {
  const n = a.columns.length; const e = (a.evidence ?? {}) as Record<string, unknown>;
  if (a.kind === 'drift' && n > 0) return n === 1 ? t(`${a.columns[0]} drifted from training`, `${josa(a.columns[0], '이/가')} 학습 때와 달라졌습니다`) : t(`${n} columns drifted from training`, `열 ${n}개가 학습 때와 달라졌습니다`);
  if (a.kind === 'performance' && num(e.realised) != null) {
    const metric = metricLabel(t, String(e.metric)); const now = f.fix(num(e.realised)), range = `[${f.fix(num(e.low))}, ${f.fix(num(e.high))}]`, then = f.fix(num(e.reference));
    return t(`${metric} fell short: ${now} ${range}, at training ${then}`, `${metric} 저하: ${now} ${range}, 학습 당시 ${then}`);
  }
  return a.message;
}

/** What is wrong with a column, by the kind of the finding; `rows` says how much of it. */
export const ANOMALY_KO: Readonly<Record<string, string>> = {
  dataset_low_num_examples: '행 수가 정해 둔 하한보다 적습니다', schema_new_column: '스키마에 없는 새 열입니다', feature_type_not_present: '열이 없습니다',
  unexpected_string: '글자가 들어 있어 스키마의 형과 다릅니다', expected_int_got_float: '정수여야 하는데 소수가 들어 있습니다', unexpected_data_type: '스키마의 형과 다릅니다',
  feature_type_low_fraction_present: '결측이 허용한 비율보다 많습니다', out_of_range_values: '정해 둔 범위를 벗어난 값이 있습니다', enum_type_unexpected_string_values: '처음 보는 값이 있습니다', feature_type_high_unique: '고유해야 하는 값이 되풀이됩니다',
};
export function anomalyText(t: T, a: { kind: string; message: string }): string {
  return ANOMALY_KO[a.kind] ? t(a.message, ANOMALY_KO[a.kind]) : a.message;
}
export const FIX_KO: Readonly<Record<string, string>> = {
  dataset_low_num_examples: '출처를 확인하세요', schema_new_column: '스키마에 반영하거나 출처에서 빼세요', feature_type_not_present: '출처에서 되살리세요. 이름이 바뀌었는지도 확인하세요',
  unexpected_string: '출처의 행을 고치거나 새 형을 받아들이세요', expected_int_got_float: '출처의 행을 고치거나 새 형을 받아들이세요', unexpected_data_type: '출처의 행을 고치거나 새 형을 받아들이세요',
  feature_type_low_fraction_present: '이 열을 채우는 단계를 확인하고, 맞다면 스키마에 반영하세요', out_of_range_values: '출처의 행을 고치거나 범위를 넓히세요', enum_type_unexpected_string_values: '아는 값으로 바꾸거나 스키마에 반영하세요', feature_type_high_unique: '되풀이된 행을 지우세요',
};
export function anomalyFix(t: T, a: { kind: string; fix: string }): string {
  return a.fix && FIX_KO[a.kind] ? t(a.fix, FIX_KO[a.kind]) : a.fix;
}

/** A measured value as the server writes it, with the unit as people do: 3.31 us, 10ms, 256MiB. */
export const unitText = (text: string) => text.replace(/(\d) ?us\b/g, '$1 µs').replace(/(\d)(ms|s|[kKMG]i?B)\b/g, '$1 $2');
/** Name of a gate with its bound: "AUC, at least 0.6". */
export function gateName(t: T, f: F, g: Pick<Schemas['Gate'], 'name' | 'bound'>): string {
  const [metric, how] = g.name.split(/\.([^.]*)$/); const bound = unitText(f.sig(g.bound, 4));
  if (how === 'min') return t(`${metricLabel(t, metric)}, at least ${bound}`, `${metricLabel(t, metric)} ${bound} 이상`);
  if (how === 'max') return t(`${metricLabel(t, metric)}, at most ${bound}`, `${metricLabel(t, metric)} ${bound} 이하`);
  if (how === 'not_worse_than') return t(`${metricLabel(t, metric)}, not worse than ${bound}`, `${metricLabel(t, metric)}: ${bound}보다 나쁘지 않음`);
  if (/^latency_p\d+$/.test(g.name)) return t(`Latency ${g.name.slice(8)}, at most ${bound}`, `지연 ${g.name.slice(8)} ${bound} 이하`);
  if (g.name === 'memory') return t(`Memory, at most ${bound}`, `메모리 ${bound} 이하`);
  return g.name;
}

/** Why a column counts as drifted: the measures that are out, largest words first. */
export function driftReason(t: T, f: F, d: { reason: string; measures?: Record<string, unknown> }): string {
  const m = d.measures ?? {}; const ks = num(m.ks), psi = num(m.psi); const limit = /limit ([\d.eE-]+)/.exec(d.reason)?.[1]; const bound = limit ? t(` (limit ${limit})`, ` (기준 ${limit})`) : '';
  if (/^ks /.test(d.reason) && ks != null) return t(`The distributions are ${f.sig(ks)} apart at their widest (Kolmogorov–Smirnov)${bound}.`, `두 분포의 최대 차이가 ${f.sig(ks)}입니다(콜모고로프–스미르노프)${bound}.`);
  if (/^psi /.test(d.reason) && psi != null) return t(`The mix of values has moved: PSI ${f.sig(psi)}${bound}.`, `값의 구성이 달라졌습니다: PSI ${f.sig(psi)}${bound}.`);
  return d.reason;
}

export const ACTIONS: Words = {
  'alias.set': ['Promoted', '승격'], 'alias.rollback': ['Rolled back', '되돌림'], 'alias.delete': ['Alias removed', '별칭 삭제'], 'project.run': ['Run started', '실행 시작'], 'model.register': ['Registered', '등록'],
  'model.rename': ['Model renamed', '모델 이름 변경'], 'model.delete': ['Model deleted', '모델 삭제'], 'version.delete': ['Version deleted', '버전 삭제'], 'version.stage': ['Stage changed', '단계 변경'],
  'model.load': ['Model loaded', '모델 적재'], 'model.unload': ['Model unloaded', '모델 내림'],
  'dataset.import': ['Data added', '데이터 추가'], 'dataset.upload': ['Data added', '데이터 추가'], 'schema.accept': ['Schema changed', '스키마 변경'], 'schema.put': ['Schema changed', '스키마 변경'],
  'batch.run': ['Batch started', '배치 예측 시작'], 'batch.schedule': ['Batch scheduled', '배치 예약'], 'batch.unschedule': ['Batch schedule ended', '배치 예약 종료'],
  'endpoint.route': ['Route changed', '라우팅 변경'], 'endpoint.put': ['Endpoint set', '엔드포인트 설정'], 'endpoint.delete': ['Endpoint removed', '엔드포인트 삭제'],
  'canary.step': ['Canary took its next step', '카나리 다음 단계'], 'canary.done': ['Canary passed its steps', '카나리 모든 단계 통과'], 'canary.rollback': ['Canary went back by itself', '카나리 자동 되돌림'],
  'alert.acknowledge': ['Alert seen', '알림 확인'], 'run.edit': ['Run edited', '실행 편집'], 'tracking.import': ['Runs imported', '실행 가져오기'],
};
/** A line of the audit log as a sentence's head; unknown actions keep their name. */
export function actionWord(t: T, action: string): string {
  const w = ACTIONS[action]; return w ? t(w[0], w[1]) : action;
}
/** The cause in an audit line or a trigger, without the ids and lists that other pages show. */
export function causeText(t: T, f: F, detail: string): string {
  const watch = /^monitor:([^:]+):(\w+): (.*)$/s.exec(detail);
  if (watch) { const n = Number(/^(\d+) columns? drifted/.exec(watch[3])?.[1] ?? 0); return watch[2] === 'drift' && n ? t(n === 1 ? 'one column drifted from training' : `${f.int(n)} columns drifted from training`, `열 ${f.int(n)}개가 학습 때와 달라짐`) : watch[3]; }
  const passed = /^(v\d+): gates passed in run ([0-9a-f]{32})$/.exec(detail);
  if (passed) return t(`${passed[1]}, all gates passed in run ${passed[2].slice(-8)}`, `${passed[1]}, 실행 ${passed[2].slice(-8)}의 관문 모두 통과`);
  return /\/upload-[0-9a-f]{32}\b/.test(detail) ? t('uploaded in the browser', '브라우저에서 업로드') : detail;
}
