// Fails when src/api/schema.d.ts is not what ../api/openapi.json generates; `npm run generate` writes it anew.
import { readFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const root = new URL('..', import.meta.url);
const made = astToString(await openapiTS(new URL('../api/openapi.json', root)));
const kept = readFileSync(new URL('src/api/schema.d.ts', root), 'utf8');
if (!kept.endsWith(made.trimStart()) && !kept.includes(made.trim())) {
  console.error('src/api/schema.d.ts is older than api/openapi.json: run `npm run generate`');
  process.exit(1);
}
