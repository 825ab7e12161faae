export type Kind = 'image' | 'json' | 'html' | 'markdown' | 'table' | 'parquet' | 'text' | 'other';
const TYPES: Record<string, string> = { png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', bmp: 'image/bmp', svg: 'image/svg+xml', avif: 'image/avif' };
const ext = (path: string) => /\.([a-z0-9]+)$/i.exec(path)?.[1].toLowerCase() ?? '';

/** The viewer of a file, by its name; what it really holds is never trusted to render as part of this site. */
export function kindOf(path: string): Kind {
  const e = ext(path);
  if (TYPES[e]) return 'image';
  if (e === 'json' || e === 'ipynb' || e === 'geojson') return 'json';
  if (e === 'html' || e === 'htm') return 'html';
  if (e === 'md') return 'markdown';
  if (e === 'parquet') return 'parquet';
  if (e === 'csv' || e === 'tsv') return 'table';
  if (['txt', 'log', 'yaml', 'yml', 'toml', 'ini', 'cfg', 'conf', 'py', 'r', 'sh', 'js', 'ts', 'java', 'cpp', 'h', 'sql', 'xml', 'jsonl', 'patch', 'diff', 'env'].includes(e) || /(^|\/)(MLmodel|Dockerfile|MLproject|README|LICENSE)$/.test(path)) return 'text';
  return 'other';
}
export const typeOf = (path: string) => TYPES[ext(path)] ?? 'application/octet-stream';

/** CSV with quotes; at most so many rows. */
export function parseTable(text: string, sep: string, most: number): string[][] {
  const out: string[][] = []; let row: string[] = [], cell = '', quoted = false;
  for (let i = 0; i < text.length && out.length < most; i++) {
    const c = text[i];
    if (quoted) { if (c === '"') { if (text[i + 1] === '"') { cell += '"'; i++; } else quoted = false; } else cell += c; }
    else if (c === '"' && cell === '') quoted = true;
    else if (c === sep) { row.push(cell); cell = ''; }
    else if (c === '\n') { row.push(cell.replace(/\r$/, '')); out.push(row); row = []; cell = ''; }
    else cell += c;
  }
  if (out.length < most && (cell || row.length)) { row.push(cell); out.push(row); }
  return out;
}
