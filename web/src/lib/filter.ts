import type { Schemas } from '../api/client';

const ATTRIBUTES = ['run_name', 'status', 'user_id', 'start_time', 'end_time', 'run_id', 'artifact_uri'];
const OPERATORS: Record<'number' | 'text', string[]> = { number: ['>', '>=', '<', '<=', '=', '!=', 'IS NULL'], text: ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'RLIKE', 'IS NULL'] };
const plain = (k: string) => /^[A-Za-z_][\w.]*$/.test(k);

/** "metrics.loss < 1" is the language of the server; "lotus" looks for a name. */
export const isFilter = (text: string) => /[=<>!`"']|\b(r?like|ilike|in|is|and|or|not)\b/i.test(text);

export type Suggestion = { text: string; insert: string; kind: 'key' | 'operator' | 'value' | 'join' };
/** What may stand at the caret: the word that is being typed is `text.slice(from, caret)`. */
export function complete(text: string, caret: number, keys: Schemas['RunKeys']): { from: number; list: Suggestion[] } {
  const before = text.slice(0, caret); const word = /(?:[\w.]|`[^`]*`?)*$/.exec(before)![0]; const from = caret - word.length; const lead = before.slice(0, from).trimEnd();
  const all: Suggestion[] = [
    ...keys.metrics.map((k): Suggestion => ({ text: `metrics.${k}`, insert: plain(k) ? `metrics.${k} ` : `metrics.\`${k}\` `, kind: 'key' })),
    ...keys.params.map((k): Suggestion => ({ text: `params.${k}`, insert: plain(k) ? `params.${k} ` : `params.\`${k}\` `, kind: 'key' })),
    ...keys.tags.map((k): Suggestion => ({ text: `tags.${k}`, insert: plain(k) && !k.includes('.') ? `tags.${k} ` : `tags.\`${k}\` `, kind: 'key' })),
    ...ATTRIBUTES.map((k): Suggestion => ({ text: k, insert: k + ' ', kind: 'key' })),
  ];
  const low = word.toLowerCase().replace(/`/g, '');
  const fit = (list: Suggestion[]) => list.map((s) => ({ s, at: s.text.toLowerCase().indexOf(low) })).filter((x) => x.at >= 0 && x.s.text.toLowerCase() !== low).sort((a, b) => a.at - b.at || a.s.text.length - b.s.text.length).slice(0, 8).map((x) => x.s);
  const subject = /((?:metrics?|params?|parameters?|tags?|attributes?|run)\.(?:`[^`]+`|"[^"]+"|[\w.]+)|\b(?:run_name|status|user_id|start_time|end_time|run_id|artifact_uri))$/i.exec(lead)?.[1];
  const started = lead.length > 0; const quoted = (before.match(/'/g)?.length ?? 0) % 2 === 1;
  if (quoted) return { from, list: [] };
  if (subject && from > lead.length) {
    const number = /^metric|_time$/i.test(subject);
    return { from, list: fit(OPERATORS[number ? 'number' : 'text'].map((o) => ({ text: o, insert: o + ' ', kind: 'operator' }))) };
  }
  if (/\bstatus\s*(=|!=)$/i.test(lead)) return { from, list: fit(['FINISHED', 'RUNNING', 'FAILED', 'KILLED', 'SCHEDULED'].map((v) => ({ text: v, insert: `'${v}' `, kind: 'value' }))) };
  if (started && /(['\d)]|null)$/i.test(lead) && from > lead.length) return { from, list: fit(['AND', 'OR'].map((o) => ({ text: o, insert: o + ' ', kind: 'join' }))) };
  if (started && !/\b(and|or|not)$|\($/i.test(lead)) return { from, list: [] };
  return { from, list: word || started ? fit(all) : fit(all.filter((s) => s.kind === 'key')) };
}
/** The byte that an error names, as an index into the text. */
export function errorAt(message: string, text: string): number | null {
  const m = /position\s+(\d+)/i.exec(message); if (!m) return null;
  const bytes = new TextEncoder().encode(text).slice(0, Math.max(0, +m[1] - 1)); return new TextDecoder().decode(bytes).length;
}
