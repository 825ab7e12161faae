import type { Status } from '../ui/status';

type T = (en: string, ko: string) => string;

/** Shape and tone of a run's or task's state. */
export function stateOf(state: string, cached = false): Status {
  switch (state) {
    case 'succeeded': case 'FINISHED': return cached ? 'cached' : 'ok';
    case 'failed': case 'FAILED': return 'bad';
    case 'running': case 'RUNNING': return 'run';
    case 'skipped': case 'cancelled': case 'KILLED': return 'skip';
    default: return 'wait';
  }
}
export function stateWord(t: T, state: string): string {
  const words: Record<string, [string, string]> = {
    succeeded: ['Done', '완료'], FINISHED: ['Done', '완료'], failed: ['Failed', '실패'], FAILED: ['Failed', '실패'], running: ['Running', '실행 중'], RUNNING: ['Running', '실행 중'],
    pending: ['Waiting', '대기 중'], queued: ['Queued', '대기열'], SCHEDULED: ['Scheduled', '예약됨'], skipped: ['Skipped', '건너뜀'], cancelled: ['Stopped', '중지됨'], KILLED: ['Stopped', '중지됨'],
    ready: ['Ready', '준비됨'], loading: ['Loading', '적재 중'], empty: ['No version', '버전 없음'],
  };
  const w = words[state]; return w ? t(w[0], w[1]) : state;
}
export const endpointState = (s: string): Status => (s === 'ready' ? 'ok' : s === 'loading' ? 'run' : s === 'failed' ? 'bad' : 'wait');

/** Metrics where less is better. */
export const lowerIsBetter = (metric: string) => /loss|rmse|mae|mse|brier|error|mape|ece/i.test(metric);
export function metricLabel(t: T, m: string): string {
  const words: Record<string, [string, string]> = { roc_auc: ['AUC', 'AUC'], log_loss: ['log loss', '로그 손실'], brier: ['Brier score', '브라이어 점수'], accuracy: ['accuracy', '정확도'], f1: ['F1', 'F1'], balanced_accuracy: ['balanced accuracy', '균형 정확도'], pr_auc: ['PR AUC', 'PR AUC'], precision: ['precision', '정밀도'], recall: ['recall', '재현율'], average_precision: ['average precision', '평균 정밀도'], calibration_error: ['calibration error', '보정 오차'], ece: ['calibration error', '보정 오차'], rmse: ['RMSE', 'RMSE'], mae: ['MAE', 'MAE'], r2: ['R²', 'R²'] };
  const w = words[m]; return w ? t(w[0], w[1]) : m;
}
export function triggerWord(t: T, trigger: string): string {
  const [kind, rest] = trigger.split(/:(.*)/s);
  const words: Record<string, [string, string]> = { manual: ['by hand', '수동'], cli: ['by hand', '수동'], api: ['by hand', '수동'], schedule: ['schedule', '예약'], monitor: ['monitor', '모니터'], demo: ['demo', '데모'] };
  const w = words[kind]; const watch = kind === 'monitor' && /^([^:]+):(drift|performance)/.exec(rest ?? '');
  if (watch) return `${t('monitor', '모니터')} · ${watch[1]} ${watch[2] === 'drift' ? t('drift', '드리프트') : t('quality', '성능')}`;
  return (w ? t(w[0], w[1]) : trigger) + (w && rest ? ` · ${rest}` : '');
}
/** What kind of question a model answers. */
export function taskWord(t: T, task: string): string {
  const words: Record<string, [string, string]> = { binary: ['binary classification', '이진 분류'], multiclass: ['classification', '다중 분류'], regression: ['regression', '회귀'] };
  const w = words[task]; return w ? t(w[0], w[1]) : task;
}
