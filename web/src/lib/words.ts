import type { Status } from '../ui/status';

type T = (en: string, ko: string) => string;

/** Shape and tone of a run's or task's state. */
export function stateOf(state: string, cached = false): Status {
  switch (state) {
    case 'succeeded': case 'FINISHED': case 'done': case 'ready': case 'OK': return cached ? 'cached' : 'ok';
    case 'failed': case 'FAILED': case 'ERROR': return 'bad';
    case 'running': case 'RUNNING': case 'loading': case 'IN_PROGRESS': return 'run';
    case 'foreign': case 'skipped': case 'cancelled': case 'KILLED': case 'stopped': return 'skip';
    default: return 'wait';
  }
}
/** English and Korean of a word that the server sends; test/codes.test.ts reads the words out of the server's source and asks for each. */
export type Words = Readonly<Record<string, readonly [string, string]>>;
export const STATES: Words = {
  succeeded: ['Done', '완료'], FINISHED: ['Done', '완료'], done: ['Done', '완료'], failed: ['Failed', '실패'], FAILED: ['Failed', '실패'], running: ['Running', '실행 중'], RUNNING: ['Running', '실행 중'],
  pending: ['Waiting', '대기 중'], queued: ['Queued', '대기열'], SCHEDULED: ['Scheduled', '예약됨'], skipped: ['Skipped', '건너뜀'], cancelled: ['Stopped', '중지됨'], KILLED: ['Stopped', '중지됨'], stopped: ['Stopped early', '조기 중단'],
  ready: ['Ready', '준비됨'], loading: ['Loading', '적재 중'], empty: ['No version', '버전 없음'], foreign: ['Kept, not served', '보관만'], deleted: ['Deleted', '삭제됨'], active: ['Active', '사용 중'],
  OK: ['Done', '완료'], ERROR: ['Failed', '실패'], IN_PROGRESS: ['Running', '실행 중'], STATE_UNSPECIFIED: ['No state', '상태 없음'], UNSET: ['No state', '상태 없음'],
};
export const stateWord = (t: T, state: string) => { const w = STATES[state]; return w ? t(w[0], w[1]) : state; };
export const endpointState = (s: string): Status => (s === 'ready' ? 'ok' : s === 'loading' ? 'run' : s === 'failed' ? 'bad' : 'wait');

/** Metrics where less is better. */
export const lowerIsBetter = (metric: string) => /loss|rmse|mae|mse|brier|error|mape|ece/i.test(metric);
export function metricLabel(t: T, m: string): string {
  const words: Record<string, [string, string]> = { roc_auc: ['AUC', 'AUC'], log_loss: ['log loss', '로그 손실'], brier: ['Brier score', '브라이어 점수'], accuracy: ['accuracy', '정확도'], f1: ['F1', 'F1'], balanced_accuracy: ['balanced accuracy', '균형 정확도'], pr_auc: ['PR AUC', 'PR AUC'], precision: ['precision', '정밀도'], recall: ['recall', '재현율'], average_precision: ['average precision', '평균 정밀도'], calibration_error: ['calibration error', '보정 오차'], ece: ['calibration error', '보정 오차'], rmse: ['RMSE', 'RMSE'], mae: ['MAE', 'MAE'], r2: ['R²', 'R²'] };
  const w = words[m]; return w ? t(w[0], w[1]) : m;
}
export const TRIGGERS: Words = { manual: ['by hand', '수동'], cli: ['by hand', '수동'], api: ['by hand', '수동'], schedule: ['schedule', '예약'], monitor: ['monitor', '모니터'], demo: ['demo', '데모'] };
export function triggerWord(t: T, trigger: string): string {
  const [kind, rest] = trigger.split(/:(.*)/s);
  const words = TRIGGERS;
  const w = words[kind]; const watch = kind === 'monitor' && /^([^:]+):(drift|performance)/.exec(rest ?? '');
  if (watch) return `${t('monitor', '모니터')} · ${watch[1]} ${watch[2] === 'drift' ? t('drift', '드리프트') : t('quality', '성능')}`;
  return (w ? t(w[0], w[1]) : trigger) + (w && rest ? ` · ${rest}` : '');
}
export const TASKS: Words = { binary: ['binary classification', '이진 분류'], multiclass: ['classification', '다중 분류'], regression: ['regression', '회귀'], tensors: ['tensors', '텐서'] };
/** What kind of question a model answers. */
export function taskWord(t: T, task: string): string {
  const w = TASKS[task]; return w ? t(w[0], w[1]) : task;
}
/** What a task is doing while it runs. */
export const STAGES: Words = { 'looking for leaks': ['looking for leaks', '누수 확인 중'], 'scoring test rows': ['scoring test rows', '시험 행 채점 중'], 'reading rows': ['reading rows', '행 읽는 중'], 'writing the bundle': ['writing the bundle', '묶음 쓰는 중'], 'rolling out': ['rolling out', '배포하는 중'] };
export const stageWord = (t: T, stage: string) => { const w = STAGES[stage]; return w ? t(w[0], w[1]) : stage; };
/** The head of a card for what the server refused, by its error code; the message below it is the server's own. */
export const ERRORS: Words = {
  INVALID_ARGUMENT: ['Something in this request is not right.', '요청에 잘못된 값이 있습니다.'], UNAUTHENTICATED: ['Sign in first.', '먼저 인증해야 합니다.'], PERMISSION_DENIED: ['You may not do this.', '권한이 없습니다.'],
  NOT_FOUND: ['This is not here.', '찾는 것이 없습니다.'], ALREADY_EXISTS: ['This exists already.', '이미 있습니다.'], ABORTED: ['Someone else changed it meanwhile.', '그사이 다른 변경이 있었습니다.'], FAILED_PRECONDITION: ['This cannot be done now.', '지금은 할 수 없습니다.'],
  REFUSED: ['This was refused.', '거부되었습니다.'], TOO_LARGE: ['This is too large.', '너무 큽니다.'], RESOURCE_EXHAUSTED: ['Too much at once.', '한꺼번에 처리할 수 있는 양을 넘었습니다.'], UNAVAILABLE: ['The server is busy.', '서버가 바쁩니다.'], DEADLINE_EXCEEDED: ['This took too long.', '시간이 초과되었습니다.'],
  CANCELLED: ['This was cancelled.', '취소되었습니다.'], UNIMPLEMENTED: ['Maru cannot do this.', '지원하지 않는 기능입니다.'], DATA_LOSS: ['Stored data is damaged.', '저장된 데이터가 손상되었습니다.'], NO_SPACE: ['The disk is full.', '디스크가 가득 찼습니다.'], INTERNAL: ['The server failed.', '서버 내부 오류입니다.'],
};
/** Kinds of things in the lineage, and what joins two of them. */
export const LINEAGE: Words = {
  run: ['run', '실행'], version: ['model version', '모델 버전'], model: ['logged model', '기록된 모델'], snapshot: ['data snapshot', '데이터 스냅샷'], dataset: ['dataset', '데이터셋'], pipeline: ['pipeline run', '파이프라인 실행'], endpoint: ['endpoint', '엔드포인트'], commit: ['source commit', '소스 커밋'], environment: ['environment', '환경'], artifact: ['file', '파일'],
  'source of': ['source of', '소스'], 'environment of': ['environment of', '환경'], logged: ['logged', '기록'], produced: ['produced', '생성'],
  'registered as': ['registered as', '등록'], 'trained on': ['trained on', '학습에 사용'], ran: ['ran', '실행'], answers: ['answers', '응답'], 'made': ['made', '생성'], 'read': ['read', '읽음'], 'read by': ['read by', '읽음'], 'part of': ['part of', '상위 실행'], 'parent of': ['parent of', '상위 실행'],
};
export const lineageWord = (t: T, w: string) => { const x = LINEAGE[w]; return x ? t(x[0], x[1]) : w; };
