import { type Status } from '../ui/status';

/** The server's words for states as the interface's six tones. */
export function tone(state: string): Status {
  if (['succeeded', 'ready', 'ok', 'FINISHED'].includes(state)) return 'ok';
  if (['failed', 'bad', 'FAILED'].includes(state)) return 'bad';
  if (['running', 'run', 'loading', 'RUNNING'].includes(state)) return 'run';
  if (['warn', 'warning'].includes(state)) return 'warn';
  if (['skipped', 'cancelled', 'KILLED'].includes(state)) return 'skip';
  return 'wait';
}

export const ageOf = (time_us: number) => Math.max(0, (Date.now() - time_us / 1000) / 1000);
export const num = (v: unknown): number | null => (typeof v === 'number' && Number.isFinite(v) ? v : null);
