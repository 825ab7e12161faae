import { num } from '../api/client';

type Curve = { x: number[]; y: number[] };
export type Report = { confusion: number[][] | null; classes: string[]; threshold: number | null; on: string; roc: Curve | null; pr: Curve | null; calibration: Curve | null };
type Any = Record<string, unknown>;

function curve(points: unknown, x: string, y: string): Curve | null {
  if (!Array.isArray(points)) return null;
  const good = (points as Any[]).filter((p) => p && num(p[x]) != null && num(p[y]) != null);
  return good.length > 1 ? { x: good.map((p) => p[x] as number), y: good.map((p) => p[y] as number) } : null;
}
/** What an evaluation that a run logged holds for drawing; null when it is something else. */
export function readReport(json: unknown): Report | null {
  const top = json as Any | null; if (!top || typeof top !== 'object') return null;
  const r = (top.report ?? top.test ?? top) as Any; const c = (r.curves ?? {}) as Any; const cm = r.confusion;
  const confusion = Array.isArray(cm) && cm.length > 1 && cm.length <= 12 && cm.every((row) => Array.isArray(row) && row.length === cm.length) ? (cm as number[][]) : null;
  const out: Report = { confusion, classes: Array.isArray(r.classes) ? r.classes.map(String) : [], threshold: num(r.threshold), on: typeof top.rows_of === 'string' ? top.rows_of : 'test', roc: curve(c.roc, 'fpr', 'tpr'), pr: curve(c.pr, 'recall', 'precision'), calibration: curve(c.calibration, 'predicted', 'observed') };
  return out.confusion || out.roc || out.pr || out.calibration ? out : null;
}
