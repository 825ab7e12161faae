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

/** Why a column counts as drifted, from the measure that said so; its limit is what is visible, or what chance or the reference's own chunks reach. */
export function driftReason(t: T, f: F, d: { reason: string; why?: Record<string, unknown> | null; measures?: Record<string, unknown> }): string {
  const w = d.why ?? {}; const v = num(w.value), l = num(w.limit); const old = /limit ([\d.eE-]+)/.exec(d.reason)?.[1]; const limit = l != null ? f.sig(l) : old;
  const bound = limit ? t(` (limit ${limit})`, ` (기준 ${limit})`) : ''; const x = f.sig(v ?? num(d.measures?.ks) ?? null);
  const signed = v == null ? '' : (v > 0 ? '+' : '') + f.sig(v);
  switch (w.measure ?? /^(ks|psi) /.exec(d.reason)?.[1]) {
    case 'ks': return t(`The distributions are ${x} apart at their widest (Kolmogorov–Smirnov)${bound}.`, `두 분포의 최대 차이가 ${x}입니다(콜모고로프–스미르노프)${bound}.`);
    case 'psi': return t(`The mix of values has moved: PSI ${f.sig(num(d.measures?.psi))}${bound}.`, `값의 구성이 달라졌습니다: PSI ${f.sig(num(d.measures?.psi))}${bound}.`);
    case 'mean shift': return t(`The mean moved by ${signed} deviations${bound}.`, `평균이 표준편차의 ${signed}배 이동했습니다${bound}.`);
    case 'spread': return t(`The spread changed by ${f.pct(v)}${l != null ? ` (limit ${f.pct(l)})` : ''}.`, `퍼짐이 ${f.pct(v)} 달라졌습니다${l != null ? `(기준 ${f.pct(l)})` : ''}.`);
    case 'shares': return t(`The shares of the values moved: Cramér's V ${x}${bound}.`, `값의 비율이 달라졌습니다: 크라메르 V ${x}${bound}.`);
    case 'new values': return t(`Values not seen before fill ${f.pct(v)} of the rows.`, `처음 보는 값이 행의 ${f.pct(v)}를 차지합니다.`);
    case 'missing': return t(`Missing cells changed by ${f.pct(v)} of the rows${l != null ? ` (limit ${f.pct(l)})` : ''}.`, `결측이 행의 ${f.pct(v)}만큼 달라졌습니다${l != null ? `(기준 ${f.pct(l)})` : ''}.`);
    case 'words': return t(`Cells that are no number: ${signed === '' ? '' : f.pct(v)} of the rows more.`, `숫자가 아닌 칸이 행의 ${f.pct(v)}만큼 늘었습니다.`);
    case 'length': return t(`The texts have other lengths: the lengths' distributions are ${x} apart${bound}.`, `글의 길이가 달라졌습니다: 길이 분포의 최대 차이 ${x}${bound}.`);
  }
  const SAID: Readonly<Record<string, string>> = { 'column is gone': '열이 없어졌습니다', 'column is new': '새로 생긴 열입니다', 'too few rows for a verdict': '판정하기에는 행이 너무 적습니다' };
  return d.reason ? t(d.reason, SAID[d.reason] ?? d.reason) : t('Nothing beyond chance.', '우연을 넘는 변화가 없습니다.');
}

/** What is behind a change, by its kind; the server's own English sentence where a kind is not known. */
export function culpritText(t: T, f: F, c: Schemas['Culprit']): string {
  const ko = t('', '1') === '1'; if (!ko) return c.explanation;
  const where = c.slice ? ` [${c.slice}]` : ''; const col = c.column; const x = (k: keyof typeof c) => f.sig(num(c[k]) ?? null, 4); const p = (k: keyof typeof c) => f.pct(num(c[k]) ?? 0);
  const pairs = (c.mapping ?? []).slice(0, 5).map((m) => `"${m.old}" → "${m.new}"`).join(', ');
  switch (c.kind) {
    case 'scale': return `${col}${where}: 값이 ${x('factor')}배가 되었습니다. 단위가 바뀐 것 같습니다`;
    case 'shift': return `${col}${where}: 값이 ${x('shift')}만큼 커졌습니다`;
    case 'timezone': return `${col}${where}: 시각이 ${x('hours')}시간 밀렸습니다. 시간대가 바뀐 것 같습니다`;
    case 'mirrored': return `${col}${where}: 부호나 척도가 뒤집혔습니다`;
    case 'rounded': return `${col}${where}: ${x('factor')} 단위로 반올림되어 정밀도를 잃었습니다`;
    case 'stretched': return `${col}${where}: 평균 둘레의 퍼짐이 ${x('factor')}배가 되었습니다`;
    case 'missing': return `${col}${where}: 결측이 ${p('before')}에서 ${p('after')}로 바뀌었습니다`;
    case 'spike': return `${col}${where}: 값 ${x('value')}이(가) ${p('before')}에서 ${p('after')}로 늘었습니다. 기본값이나 멈춘 값 같습니다`;
    case 'renamed': return `${col}${where}: 값의 이름이 바뀐 것 같습니다: ${pairs}`;
    case 'recoded': return `${col}${where}: 값의 코드가 다시 매겨진 것 같습니다: ${pairs}`;
    case 'truncated': return `${col}: 글이 ${x('length')}바이트에서 잘렸습니다. 전에는 행의 ${p('before')}가 더 길었습니다`;
    case 'swapped': return `${col} 열과 ${c.other} 열이 서로 바뀌었습니다`;
    case 'words': return `${col}: 숫자 사이에 글자가 섞였습니다(행의 ${p('after')})`;
    case 'moved': return `${col}${where}: 변화가 이 행들에서 생겼습니다`;
    case 'relation': return `${col} 열과 ${c.slice} 열은 따로는 그대로지만 서로의 관계가 달라졌습니다`;
  }
  return c.explanation;
}

export const ACTIONS: Words = {
  'alias.set': ['Promoted', '승격'], 'alias.rollback': ['Rolled back', '되돌림'], 'alias.delete': ['Alias removed', '별칭 삭제'], 'project.run': ['Run started', '실행 시작'], 'model.register': ['Registered', '등록'],
  'model.rename': ['Model renamed', '모델 이름 변경'], 'model.delete': ['Model deleted', '모델 삭제'], 'version.delete': ['Version deleted', '버전 삭제'], 'version.stage': ['Stage changed', '단계 변경'],
  'model.load': ['Model loaded', '모델 적재'], 'model.unload': ['Model unloaded', '모델 내림'],
  'secret.set': ['Secret kept', '비밀 값 저장'], 'secret.remove': ['Secret removed', '비밀 값 삭제'],
  'stream.add': ['Stream added', '스트림 추가'], 'stream.start': ['Stream started', '스트림 시작'], 'stream.stop': ['Stream stopped', '스트림 중지'], 'stream.remove': ['Stream removed', '스트림 삭제'],
  'dataset.import': ['Data added', '데이터 추가'], 'dataset.upload': ['Data added', '데이터 추가'], 'schema.accept': ['Schema changed', '스키마 변경'], 'schema.put': ['Schema changed', '스키마 변경'],
  'schema.suggest': ['Expectations suggested', '기대 규칙 제안'], 'dataset.append': ['Rows added', '행 추가'], 'dataset.describe': ['Description changed', '설명 변경'], 'dataset.tag': ['Snapshot tagged', '스냅샷 태그 지정'], 'dataset.untag': ['Tag removed', '태그 제거'],
  'dataset.sql': ['Result of SQL kept', 'SQL 결과 저장'], 'dataset.retention': ['Retention changed', '보존 정책 변경'], 'dataset.collect': ['Old data collected', '오래된 데이터 정리'], 'dataset.erase': ['Rows erased', '행 영구 삭제'], 'dataset.read': ['Data read', '데이터 열람'], 'dataset.quarantine': ['Rows set apart', '행 격리'],
  'dataset.protect': ['Protected copy made', '보호된 사본 생성'], 'token.reveal': ['Tokens opened', '토큰 열람'],
  'batch.run': ['Batch started', '배치 예측 시작'], 'batch.schedule': ['Batch scheduled', '배치 예약'], 'batch.unschedule': ['Batch schedule ended', '배치 예약 종료'],
  'endpoint.route': ['Route changed', '라우팅 변경'], 'endpoint.put': ['Endpoint set', '엔드포인트 설정'], 'endpoint.delete': ['Endpoint removed', '엔드포인트 삭제'],
  'canary.step': ['Canary took its next step', '카나리 다음 단계'], 'canary.done': ['Canary passed its steps', '카나리 모든 단계 통과'], 'canary.rollback': ['Canary went back by itself', '카나리 자동 되돌림'],
  'alert.acknowledge': ['Alert seen', '알림 확인'], 'run.edit': ['Run edited', '실행 편집'], 'tracking.import': ['Runs imported', '실행 가져오기'],
};
const SENSITIVE: Words = {
  email: ['e-mail addresses', '이메일 주소'], phone: ['telephone numbers', '전화번호'], resident_registration_number: ['resident registration numbers', '주민등록번호'], card: ['card numbers', '카드 번호'],
  iban: ['bank accounts (IBAN)', '계좌번호(IBAN)'], ip: ['IP addresses', 'IP 주소'], mac: ['device addresses (MAC)', '기기 주소(MAC)'], passport: ['passport numbers', '여권 번호'], driver_licence: ['driving licences', '운전면허 번호'],
  us_ssn: ['US social security numbers', '미국 사회보장번호'], person_name: ['names of persons', '사람 이름'], address: ['postal addresses', '주소'], birth_date: ['dates of birth', '생년월일'],
};
/** What of a person a column holds. */
export function sensitiveKind(t: T, kind: string): string {
  const w = SENSITIVE[kind]; return w ? t(w[0], w[1]) : kind;
}
const PROTECT: Words = { drop: ['drop the column', '열 삭제'], mask: ['mask', '가리기'], hash: ['hash (joins, no way back)', '해시(결합 가능, 복원 불가)'], token: ['token (the key opens it)', '토큰(키로 복원)'], generalise: ['make coarser', '일반화'], keep: ['keep as it is', '그대로 두기'] };
export function sensitiveAction(t: T, action: string): string {
  const w = PROTECT[action]; return w ? t(w[0], w[1]) : action;
}
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
