import type { Schemas } from '../api/client';

type Input = Schemas['SignatureInput'];
export const textOf = (v: unknown) => (v == null ? '' : String(v));

/** What was typed as the JSON value that the signature wants; an empty field is a missing value. */
export function valueOf(input: Input, text: string): unknown {
  if (text === '') return null;
  if (input.kind === 'number' || input.kind === 'integer') { const n = Number(text); return Number.isFinite(n) ? n : text; }
  if (input.kind === 'boolean') return text === 'true' || text === '1';
  return text;
}
export const rowOf = (inputs: Input[], values: Record<string, string>) => Object.fromEntries(inputs.map((i) => [i.name, valueOf(i, values[i.name] ?? textOf(i.example))]));
