// Walks every page of the real binary in both languages and themes, on a wide screen and a phone: no console error, no serious axe finding,
// and a first page within its budget. Starts `$MARU_BIN demo` unless $MARU_URL names a running server. Ends with `N passed, M failed`.
import { chromium } from 'playwright-core';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FIRST_PAGE_KB = 350;
let passed = 0, failed = 0;
const check = (name, problems) => { if (problems.length === 0) { passed++; return; } failed++; console.log(`failed  ${name}\n  ${problems.join('\n  ')}`); };

function startServer() {
  const home = mkdtempSync(join(tmpdir(), 'maru-e2e-'));
  const child = spawn(process.env.MARU_BIN, ['demo', '--home', join(home, 'home'), '--listen', '127.0.0.1:0'], { env: { ...process.env, MARU_EXAMPLES: join(process.cwd(), '../examples') } });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (d) => { text += d; const m = /ready (http:\S+)/.exec(text); if (m) resolve({ url: m[1], stop: () => { child.kill('SIGTERM'); return new Promise((r) => child.on('exit', () => { rmSync(home, { recursive: true }); r(); })); } }); });
    child.on('exit', (code) => reject(new Error(`maru demo ended with ${code}: ${text}`)));
  });
}

const server = process.env.MARU_URL ? { url: process.env.MARU_URL, stop: async () => {} } : await startServer();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const run = (await (await fetch(server.url + '/api/v1/pipelines/flights/runs?limit=1')).json()).runs[0].id;
const pages = ['', '/data', '/data/training', '/pipelines', '/pipelines/flights', '/pipelines/flights/' + run, '/experiments', '/experiments/flights', '/models', '/models/flights', '/endpoints', '/endpoints/flights', '/monitor', '/settings', '/guide'];
for (const [width, height, theme, lang] of [[1440, 900, 'light', 'en'], [1440, 900, 'dark', 'ko'], [390, 844, 'light', 'ko']]) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  for (const path of pages) {
    const problems = [];
    const onConsole = (m) => { if (m.type() === 'error') problems.push('console: ' + m.text()); };
    const onError = (e) => problems.push('error: ' + e);
    page.on('console', onConsole); page.on('pageerror', onError);
    await page.goto(`${server.url}/p/default${path}?theme=${theme}&lang=${lang}`);
    await page.waitForSelector('h1', { timeout: 10000 }).catch(() => problems.push('no heading'));
    await page.waitForLoadState('load');
    if ((await page.evaluate(() => document.documentElement.lang)) !== lang) problems.push('wrong language');
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa'] }));
    for (const v of found.violations) if (v.impact === 'critical') problems.push(`axe ${v.id}: ${v.nodes.length} places, ${v.nodes[0].html.slice(0, 120)}`);
    page.off('console', onConsole); page.off('pageerror', onError);
    check(`${path || '/'} ${width} ${theme} ${lang}`, problems);
  }
  await context.close();
}

const html = await (await fetch(server.url + '/p/default')).text();
const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map((m) => m[1]);
const sizes = await Promise.all(assets.map(async (a) => gzipSync(Buffer.from(await (await fetch(server.url + a)).arrayBuffer())).length));
const total = sizes.reduce((a, b) => a + b, 0) / 1000;
check('first page', total > FIRST_PAGE_KB ? [`${total.toFixed(0)} kB gz, at most ${FIRST_PAGE_KB}`] : []);
console.log(`first page ${total.toFixed(0)} kB gz`);

const context = await browser.newContext(); const page = await context.newPage();
await page.goto(server.url + '/p/default/endpoints/flights?lang=en');
await page.getByRole('button', { name: 'Predict', exact: true }).click();
const answer = await page.getByText('"probability"').first().textContent({ timeout: 10000 }).catch(() => '');
check('try it answers', answer.includes('probability') ? [] : ['no answer']);
await browser.close();
await server.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
