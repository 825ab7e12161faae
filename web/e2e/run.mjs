// Walks every page of the real binary in both languages and themes: no console error, no axe violation, no sideways scroll, a title;
// then acts on them (actions.mjs) and weighs the first page. Env: MARU_URL (a running server) or MARU_BIN (runs `demo`);
// MARU_E2E_ONLY=runs walks the experiment pages alone (runs.mjs), =actions acts alone. Speeds are printed beside their targets and decide nothing.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { actions } from './actions.mjs';
import { experimentRuns } from './runs.mjs';

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.MARU_SHOTS;
const PATIENCE_MS = 60_000; // for any one thing to happen; a busy machine is not a failure
const asked = new WeakMap(); // the requests under way of each page
const frames = (page) => page.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
let passed = 0, failed = 0, child, home;
const check = (name, ok, detail = '') => { if (ok) passed += 1; else { failed += 1; console.log(`FAIL ${name}${detail ? `: ${detail}` : ''}`); } };

async function start() {
  if (process.env.MARU_URL) return process.env.MARU_URL.replace(/\/$/, '');
  home = mkdtempSync(join(tmpdir(), 'maru-e2e-'));
  return launch(['demo', '--home', home, '--listen', '127.0.0.1:0']);
}
function launch(args) {
  const binary = process.env.MARU_BIN ?? new URL('../../build/release/maru', import.meta.url).pathname;
  child = spawn(binary, args, { cwd: new URL('../..', import.meta.url).pathname, stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (d) => { text += d; const m = /^ready (http:\S+)/m.exec(text); if (m) resolve(m[1]); });
    child.on('exit', (code) => reject(new Error(`maru demo ended with ${code}:\n${text}`)));
    setTimeout(() => reject(new Error(`maru demo was not ready in 180 s:\n${text}`)), 180_000).unref();
  });
}

const stop = async () => { child.removeAllListeners('exit'); const gone = new Promise((r) => { child.on('exit', r); }); child.kill('SIGTERM'); await gone; };
const base = await start();
const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json();
const status = await get('/status');
const dataset = status.datasets[0]?.name, model = status.models[0]?.name, endpoint = status.endpoints[0]?.name;
const pipeline = (await get('/pipelines')).pipelines[0]; const experiment = (await get('/experiments')).experiments[0];
const run = experiment && (await get(`/experiments/${experiment.name}/runs?limit=1`)).runs[0];
const p = '/p/default';
const pages = { home: p, guide: `${p}/guide`, data: `${p}/data`, pipelines: `${p}/pipelines`, experiments: `${p}/experiments`, models: `${p}/models`, endpoints: `${p}/endpoints`, monitor: `${p}/monitor`, settings: `${p}/settings` };
if (dataset) for (const tab of ['profile', 'rules', 'rows', 'versions']) pages[`dataset-${tab}`] = `${p}/data/${dataset}?tab=${tab}`;
if (pipeline) { pages.pipeline = `${p}/pipelines/${pipeline.name}`; pages.run = `${p}/pipelines/${pipeline.name}/${pipeline.last.id}`; }
if (experiment) pages.experiment = `${p}/experiments/${experiment.name}?sel=${run?.id ?? ''}`;
if (run) pages['experiment-run'] = `${p}/experiments/${experiment.name}/runs/${run.id}`;
if (model) for (const tab of ['versions', 'card', 'api', 'files', 'lineage', 'history']) pages[`model-${tab}`] = `${p}/models/${model}?tab=${tab}`;
pages.batch = `${p}/endpoints/-/batch`;
if (endpoint) pages.endpoint = `${p}/endpoints/${endpoint}`;

/** Types g and a letter until the page is there: two keys count as one command only when they come within 1.5 s, which a busy machine may miss. */
const go = async (page, key, url) => { for (let i = 0; i < 10; i += 1) { await page.keyboard.press('g'); await page.keyboard.press(key); if (await page.waitForURL(url, { timeout: 3000 }).then(() => true, () => false)) return true; } return false; };
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
const open = async (width, height) => {
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: 'reduce' }); const page = await context.newPage(); const errors = [];
  page.on('pageerror', (e) => errors.push(e.message)); page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
  const flying = new Set(); const landed = (r) => flying.delete(r); asked.set(page, flying);
  page.on('request', (r) => { if (!r.url().includes('/api/v1/events')) flying.add(r); }); page.on('requestfinished', landed); page.on('requestfailed', landed);
  page.setDefaultTimeout(PATIENCE_MS); page.setDefaultNavigationTimeout(PATIENCE_MS);
  return { context, page, errors };
};
// A page has settled when it has a heading, no skeleton, no request under way, and two frames were drawn since.
const settle = async (page) => {
  await page.waitForSelector('h1'); await page.waitForFunction(() => !document.querySelector('.sk-page, .sk')); await page.evaluate(() => document.fonts.ready);
  for (const end = Date.now() + 10_000; Date.now() < end;) { await frames(page); if (asked.get(page).size === 0 && await page.evaluate(() => !document.querySelector('.sk-page, .sk'))) return; }
};

/** Works on all of them, three at a time. */
const each = async (list, work) => { let next = 0; await Promise.all([0, 1, 2].map(async () => { while (next < list.length) await work(list[next++]); })); };
const only = process.env.MARU_E2E_ONLY;
if (!only) {
  await each([['light', 'en', 1440, 900], ['dark', 'ko', 390, 844]].flatMap((look) => Object.entries(pages).map((page) => [...look, ...page])), async ([theme, lang, width, height, name, path]) => {
    const label = `${name} ${theme}/${lang}/${width}`; const { context, page, errors } = await open(width, height);
    try {
      await page.goto(`${base}${path}${path.includes('?') ? '&' : '?'}theme=${theme}&lang=${lang}`, { waitUntil: 'load' }); await settle(page);
      if (shots) await page.screenshot({ path: `${shots}/${name}-${width}-${theme}-${lang}.png` });
      check(`${label} shows no error card`, await page.locator('.main > .page [role=alert]').count() === 0 || name === 'run');
      check(`${label} has words in ${lang}`, (lang === 'ko') === /[가-힣]{2}/.test(await page.locator('nav.nav').evaluate((n) => n.textContent)));
      const over = await page.evaluate(() => { const m = document.querySelector('.main'); return m.scrollWidth - m.clientWidth; });
      check(`${label} does not scroll sideways`, over <= 1, `${over} px`);
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
      check(`${label} passes axe`, found.violations.length === 0, found.violations.map((v) => `${v.id} ${v.nodes[0].target.join(' ')} ${v.nodes[0].html.slice(0, 90)}`).join(' | '));
      check(`${label} logs no error`, errors.length === 0, errors.slice(0, 2).join(' | '));
    } catch (e) { check(label, false, `${String(e.message).split('\n')[0]} ${errors.slice(0, 2).join(' | ')}`); }
    await context.close();
  });
}

if (!only) { // First page: every byte that the browser fetches for it, scripts and styles, compressed.
  const { context, page } = await open(1440, 900); let bytes = 0;
  const client = await context.newCDPSession(page); await client.send('Network.enable');
  const kinds = new Map(); client.on('Network.responseReceived', (e) => kinds.set(e.requestId, e.type)); client.on('Network.loadingFinished', (e) => { if (['Document', 'Script', 'Stylesheet'].includes(kinds.get(e.requestId))) bytes += e.encodedDataLength; });
  await page.goto(base + p, { waitUntil: 'load' }); await settle(page);
  console.log(`first page: ${Math.round(bytes / 1000)} kB compressed`); check('first page is at most 350 kB', bytes <= 350_000, `${bytes}`);
  await page.keyboard.press('Control+k'); await page.locator('[role=combobox]').waitFor(); check('Ctrl K opens the palette', true); await page.keyboard.press('Escape'); await page.locator('[role=combobox]').waitFor({ state: 'hidden' });
  await go(page, 'd', '**/data'); check('g d goes to Data', true);
  await context.close();
}
if (!only || only === 'runs') await experimentRuns({ base, open, settle, check, shots, frames, each });
if (!only || only === 'actions') await actions({ base, open, get, settle, go, check, dataset, model, endpoint, pipeline, stop: child && stop, restart: () => launch(['up', '--home', home, '--listen', new URL(base).host]) });
await browser.close();
if (child) await stop();
if (home) rmSync(home, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
