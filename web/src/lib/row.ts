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
/** One row for a model of tensors that are no columns: zeros and empty texts of its shapes, to be filled in. */
export function rowOfTensors(specs: Schemas['TensorSpec'][]): unknown {
  const value = (s: Schemas['TensorSpec'], level: number): unknown =>
    level >= s.shape.length ? (s.datatype === 'BYTES' ? '' : s.datatype === 'BOOL' ? false : 0) : Array.from({ length: Math.max(1, s.shape[level]) }, () => value(s, level + 1));
  const rows = specs.map((s) => [s.name, value(s, 1)] as const);
  return rows.length === 1 ? rows[0][1] : Object.fromEntries(rows);
}
export const rowOf = (inputs: Input[], values: Record<string, string>) => Object.fromEntries(inputs.map((i) => [i.name, valueOf(i, values[i.name] ?? textOf(i.example))]));
