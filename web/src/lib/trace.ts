import type { Schemas } from '../api/client';

export type Trace = Schemas['Trace']; export type Span = Schemas['TraceSpan'];
const KEYWORD = /\b(status|state|name|timestamp(_ms)?|execution_time(_ms)?|tags?|metadata|attributes?|span|trace|feedback|expectation|text|run_id|request_id)\b[^'"]*(=|!=|<|>|\bI?LIKE\b|\bIN\b|\bIS\b)/i;

/** What was typed as a filter of traces: a filter as it stands, or words looked for in names and contents. */
export function traceFilter(typed: string, state: string): string {
  const text = typed.trim(); const parts: string[] = [];
  if (text) { const word = text.replace(/'/g, "''"); parts.push(KEYWORD.test(text) ? `(${text})` : `(name ILIKE '%${word}%' OR trace.text ILIKE '%${word}%')`); }
  if (state) parts.push(`status = '${state}'`);
  return parts.join(' AND ');
}

/** Tokens as MLflow's clients count them for the whole trace; null where nobody did. */
export function tokensOf(trace: Trace): { input: number; output: number; total: number } | null {
  const text = (trace.metadata as Record<string, string>)['mlflow.trace.tokenUsage']; if (!text) return null;
  try { const u = JSON.parse(text) as Record<string, number>; const input = u.input_tokens ?? 0, output = u.output_tokens ?? 0; const total = u.total_tokens ?? input + output; return Number.isFinite(total) ? { input, output, total } : null; } catch { return null; }
}

/** The spans that are seen when some are folded: what is below a folded one is not. */
export function unfolded<S extends { id: string; depth: number }>(spans: S[], closed: ReadonlySet<string>): (S & { kids: number })[] {
  const out: (S & { kids: number })[] = []; let hidden = Infinity;
  spans.forEach((s, i) => {
    if (s.depth > hidden) return;
    hidden = closed.has(s.id) ? s.depth : Infinity;
    let kids = 0; for (let k = i + 1; k < spans.length && spans[k].depth > s.depth; k++) kids++;
    out.push({ ...s, kids });
  });
  return out;
}
/** How long a whole trace took on the clock of its spans, in milliseconds; at least a little, so that a scale exists. */
export const spanEnd = (spans: Span[]) => Math.max(0.001, ...spans.map((s) => s.start_ms + (s.duration_ms ?? 0)));
export const pretty = (v: unknown) => (typeof v === 'string' ? v : JSON.stringify(v, null, 2));
