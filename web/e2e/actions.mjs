// What a person does on the pages, each checked against the server's own answer afterwards.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROWS = 400;
const until = async (look, ok, limit_ms = 120_000) => {
  const end = Date.now() + limit_ms; let seen;
  while (Date.now() < end) { seen = await look().catch(() => undefined); if (seen !== undefined && ok(seen)) return seen; await new Promise((r) => { setTimeout(r, 200); }); }
  return seen;
};

async function uploads({ base, open, get, settle, step }) {
  const folder = mkdtempSync(join(tmpdir(), 'maru-upload-')); const file = join(folder, 'orders 주문.csv');
  writeFileSync(file, 'id,price,city\n' + Array.from({ length: ROWS }, (_, i) => `${i},${(i % 40) + 0.5},${['Seoul', 'Busan', 'Daegu'][i % 3]}`).join('\n') + '\n');
  const { context, page, errors } = await open(1440, 900);
  await page.goto(`${base}/p/default/data?lang=en`); await settle(page);
  await page.locator('input[type=file]').setInputFiles(file);
  await page.waitForURL('**/data/orders*'); await settle(page);
  const name = decodeURIComponent(new URL(page.url()).pathname.split('/').pop());
  const d = await get(`/datasets/${encodeURIComponent(name)}`); const profile = await get(`/datasets/${encodeURIComponent(name)}/profile`);
  step('an upload opens its profile', (await page.locator('h1').innerText()).includes(name), page.url());
  step('the server holds every row of the upload', d.snapshots?.[0]?.rows === ROWS, JSON.stringify(d).slice(0, 200));
  const price = profile.columns?.find((c) => c.name === 'price');
  step('the profile of the upload is right', profile.columns?.length === 3 && Math.abs(price?.mean - 20) < 1e-9 && price.missing === 0, JSON.stringify(price)?.slice(0, 200));
  step('the page shows the three columns', (await page.getByText('3 of 3').count()) === 1 && errors.length === 0, errors.join(' | '));
  const bad = join(folder, 'broken.parquet'); writeFileSync(bad, 'not a parquet file');
  await page.goto(`${base}/p/default/data?lang=en`); await settle(page); await page.locator('input[type=file]').setInputFiles(bad);
  await page.waitForSelector('.main [role=alert]');
  step('a file that cannot be read is refused with a card', /broken|parquet/i.test(await page.locator('.main [role=alert]').first().innerText()));
  await context.close(); rmSync(folder, { recursive: true, force: true });
}

async function models({ base, open, get, settle, step, model, endpoint }) {
  const { context, page, errors } = await open(1440, 900); const now = async () => (await get(`/models/${model}`)).aliases.champion;
  const before = await get(`/models/${model}`); const from = before.aliases.champion; const earlier = before.history.find((h) => h.alias === 'champion' && h.to === from && h.from > 0)?.from;
  if (!earlier) { console.log('models: one version only, so neither promoted nor rolled back'); await context.close(); return; }
  await page.goto(`${base}/p/default/models/${model}?lang=en`); await settle(page);
  await page.getByRole('button', { name: `Roll back to v${earlier}` }).click();
  await page.getByRole('dialog').waitFor(); step('a roll back asks first', await now() === from);
  await page.getByRole('button', { name: 'Cancel' }).click(); step('Cancel changes nothing', await now() === from);
  await page.getByRole('button', { name: `Roll back to v${earlier}` }).click();
  await page.getByLabel('Reason').fill('walked by a test'); await page.getByRole('button', { name: 'Roll back', exact: true }).click();
  step('a roll back moves the alias', await until(now, (v) => v === earlier) === earlier);
  const arm = async () => (await get(`/endpoints/${endpoint}`)).arms[0].version;
  if (endpoint) step('the endpoint answers with the earlier version', await until(arm, (v) => v === earlier) === earlier);
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await page.goto(`${base}/p/default/models/${model}?lang=ko&v=${from}`); await settle(page);
  await page.getByRole('button', { name: '@champion으로 승격' }).click();
  const dialog = page.getByRole('dialog'); await dialog.locator('ul li').first().waitFor();
  step('promotion says in Korean what would change', /champion이 v\d+에서 v\d+/.test(await dialog.innerText()), await dialog.innerText());
  await dialog.getByLabel('사유').fill('시험'); await dialog.getByRole('button', { name: '승격', exact: true }).click();
  step('a promotion moves the alias', await until(now, (v) => v === from) === from);
  if (endpoint) step('the endpoint answers with the promoted version', await until(arm, (v) => v === from) === from);
  const history = (await get(`/models/${model}`)).history;
  step('both moves are in the history with their reasons', history.some((h) => h.reason.includes('walked by a test')) && history.some((h) => h.reason.includes('시험')), JSON.stringify(history.slice(0, 2)));
  step('the model page logs no error', errors.length === 0, errors.join(' | ')); await context.close();
}

async function runs({ base, open, get, settle, step, pipeline }) {
  if (!pipeline) return;
  const { context, page, errors } = await open(1440, 900);
  await page.goto(`${base}/p/default/pipelines/${pipeline.name}/${pipeline.last.id}?lang=en`); await settle(page);
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.waitForURL((u) => !u.pathname.endsWith(pipeline.last.id)); await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
  const id = new URL(page.url()).pathname.split('/').pop(); const state = async () => (await get(`/pipeline-runs/${id}`)).state;
  step('Run again starts a run', ['pending', 'running'].includes(await state()));
  await page.evaluate(() => { window.before = document.querySelector('.pr-dag'); });
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  step('Stop stops it', await until(state, (s) => s === 'cancelled') === 'cancelled', await state());
  const retry = page.getByRole('button', { name: 'Retry from failed' }); await retry.waitFor();
  step('the page followed the run without being drawn anew', await page.evaluate(() => document.querySelector('.pr-dag') === window.before));
  await retry.click();
  step('Retry goes on with the same run', ['pending', 'running', 'succeeded'].includes(await until(state, (s) => s !== 'cancelled')), await state());
  if (['pending', 'running'].includes(await state())) { await page.getByRole('button', { name: 'Stop', exact: true }).click(); await until(state, (s) => s === 'cancelled' || s === 'succeeded'); }
  step('the run page logs no error', errors.length === 0, errors.join(' | ')); await context.close();
}

async function endpoints({ base, open, get, settle, step, endpoint }) {
  if (!endpoint) return;
  const { context, page, errors } = await open(1440, 900); const answered = async () => (await get(`/endpoints/${endpoint}`)).arms.reduce((a, x) => a + x.requests, 0);
  await page.goto(`${base}/p/default/endpoints/${endpoint}?lang=en`); await settle(page);
  await page.evaluate(() => { window.before = [...document.querySelectorAll('.uplot canvas')]; }); const was = await answered();
  const go = page.getByRole('button', { name: 'Predict', exact: true }); await go.focus();
  for (let i = 0; i < 3; i += 1) { await page.keyboard.press('Enter'); await page.waitForSelector('[data-testid=answer]'); }
  const id = await page.locator('[data-testid=answer] code').innerText();
  step('the form’s requests are counted', await until(answered, (n) => n > was) > was);
  const log = await until(() => get(`/endpoints/${endpoint}/log?limit=50`), (l) => l.rows.some((r) => r.id === id));
  step('the answer’s id is in the request log', log.rows.some((r) => r.id === id), id);
  await page.getByText(id).nth(1).waitFor().then(() => step('the page shows the request by itself', true), () => step('the page shows the request by itself', false));
  for (const [name, word] of [['Python', 'urllib'], ['JavaScript', 'fetch('], ['C++', 'curl_easy'], ['curl', 'curl -sS']]) { await page.getByRole('group', { name: 'Language' }).getByRole('button', { name, exact: true }).click(); step(`a call in ${name} is shown`, (await page.locator('[data-testid=call] pre').innerText()).includes(word)); }
  await page.getByRole('button', { name: `Replay ${id}` }).click(); const dialog = page.locator('[data-testid=replay-form]');
  await dialog.getByRole('button', { name: 'Ask again' }).click(); await dialog.locator('[data-testid=replay-report]').waitFor();
  step('a logged request replayed on the version that answered is the same', (await dialog.innerText()).includes('none of 1 differs')); await page.keyboard.press('Escape');
  await page.getByLabel('Id', { exact: true }).fill(id); await page.getByRole('button', { name: 'Find', exact: true }).click();
  step('a logged request is found by its id', await until(() => page.locator('[data-testid=last-requests] tbody tr').count(), (n) => n === 1) === 1);
  step('live charts keep their canvas', await page.evaluate(() => window.before.every((c) => c.isConnected)));
  step('the endpoint page logs no error', errors.length === 0, errors.join(' | ')); await context.close();
}

// Two versions share the callers: the slider, the kill switch, what rewards say.
async function routing({ base, open, get, settle, step, model, endpoint }) {
  const versions = endpoint ? (await get(`/models/${model}`)).versions.map((v) => v.version) : [];
  if (versions.length < 2) { console.log('routing: one version only, so nothing is shared'); return; }
  const [a, b] = versions.slice(-2).sort((x, y) => x - y); const api = `${base}/api/v1/endpoints/${endpoint}`; const json = { 'Content-Type': 'application/json' };
  const put = (route) => fetch(api, { method: 'PUT', headers: json, body: JSON.stringify({ model, route }) });
  const shares = async () => (await get(`/endpoints/${endpoint}`)).arms.map((x) => x.weight);
  step('a split is taken', (await put({ arms: [{ version: a, weight: 80 }, { version: b, weight: 20 }], reward: 'binary' })).ok);
  const { context, page, errors } = await open(1440, 900);
  await page.goto(`${base}/p/default/endpoints/${endpoint}?lang=en`); await settle(page);
  const share = page.getByRole('spinbutton', { name: `Share of v${a}, percent` }); await share.fill('30'); await page.getByRole('button', { name: 'Apply' }).click();
  step('the typed share is the server’s', JSON.stringify(await until(shares, (s) => s[0] === 30)) === '[30,70]', JSON.stringify(await shares()));
  await page.getByRole('button', { name: 'Stop sharing' }).click();
  step('the kill switch leaves the first version alone', JSON.stringify(await until(shares, (s) => s[1] === 0)) === '[1,0]');
  await page.getByText(`Stopped: v${a} answers everything.`).waitFor();
  await page.getByRole('button', { name: 'Share again' }).click();
  step('sharing again takes the written shares', JSON.stringify(await until(shares, (s) => s[1] === 70)) === '[30,70]');
  const inputs = (await get(`/models/${model}/signature`)).inputs; const row = Object.fromEntries(inputs.map((i) => [i.name, i.example]));
  const rewards = [];
  for (let i = 0; i < 120; i += 1) { const r = await (await fetch(`${api}/predict`, { method: 'POST', headers: json, body: JSON.stringify({ instances: [row] }) })).json(); rewards.push({ id: r.id, reward: r.version === b ? 1 : 0 }); }
  const taken = await (await fetch(`${api}/feedback`, { method: 'POST', headers: json, body: JSON.stringify(rewards) })).json();
  step('every reward is taken', taken.rewards === 120, JSON.stringify(taken));
  await page.getByText(`v${b} is better`).waitFor().then(() => step('the page says which version is better', true), () => step('the page says which version is better', false));
  await put({ kind: 'bandit', arms: [{ version: a }, { version: b }] });
  await page.getByText('Thompson').waitFor().then(() => step('a bandit shows its policy', true), () => step('a bandit shows its policy', false));
  await put({ kind: 'canary', arms: [{ version: a }, { version: b }], steps: ['5%', '100%'] });
  await page.getByText('step 1 of 2').waitFor().then(() => step('a canary shows its step', true), () => step('a canary shows its step', false));
  step('the champion alone again', (await put(null)).ok && (await until(shares, (s) => s.length === 1)).length === 1);
  step('the endpoint page of several arms logs no error', errors.length === 0, errors.join(' | ')); await context.close();
}

async function switches({ base, open, settle, step }) {
  const { context, page } = await open(1440, 900); const doc = () => page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset.theme]);
  await page.goto(`${base}/p/default/settings?lang=en&theme=light`); await settle(page); await page.goto(`${base}/p/default/settings`); await settle(page);
  await page.getByRole('button', { name: '한국어', exact: true }).first().click(); step('Settings switches the language', (await doc())[0] === 'ko' && (await page.locator('h1').innerText()) === '설정');
  await page.keyboard.press('t'); step('t switches the theme', (await doc())[1] === 'dark');
  await page.reload(); await settle(page); step('both are kept', (await doc()).join() === 'ko,dark');
  await page.keyboard.press('l'); step('l switches back', (await doc())[0] === 'en');
  await page.getByRole('button', { name: 'Light / dark' }).click(); step('the button in the bar switches the theme', (await doc())[1] === 'light'); await context.close();
}

async function keys({ base, open, settle, go, step, dataset }) {
  const { context, page, errors } = await open(1440, 900); await page.goto(`${base}/p/default?lang=en`); await settle(page);
  for (const [key, place] of Object.entries({ d: 'data', p: 'pipelines', e: 'experiments', m: 'models', s: 'endpoints', o: 'monitor' })) step(`g ${key} goes to ${place}`, await go(page, key, `**/${place}`), page.url());
  await page.keyboard.press('Control+k'); await page.getByRole('combobox').waitFor(); await page.keyboard.type(dataset ?? 'data'); await page.keyboard.press('Enter'); // at once: it waits for the answer
  await page.waitForURL((u) => !u.pathname.endsWith('/monitor')).then(() => step('the palette opens what was typed', true), () => step('the palette opens what was typed', false, page.url()));
  await page.getByRole('dialog').waitFor({ state: 'hidden' }); await settle(page); let seen = 0;
  for (let i = 0; i < 25; i += 1) { await page.keyboard.press('Tab'); seen += await page.evaluate(() => { const a = document.activeElement; if (!a || a === document.body) return 0; const s = getComputedStyle(a); return s.outlineStyle !== 'none' || s.boxShadow !== 'none' ? 1 : 0; }); }
  step('what Tab reaches shows its focus', seen >= 23, `${seen} of 25`); step('the keyboard walk logs no error', errors.length === 0, errors.join(' | ')); await context.close();
}

/** The server goes away and comes back under an open page. */
async function away({ base, open, settle, step, stop, restart }) {
  if (!stop) return;
  const { context, page } = await open(1440, 900); await page.goto(`${base}/p/default?lang=en`); await settle(page);
  const heading = await page.locator('h1').innerText(); await stop();
  await page.waitForSelector('[data-testid=away]').then(() => step('a server that is away is said calmly', true), () => step('a server that is away is said calmly', false));
  step('the last answers stay', await page.locator('h1').innerText() === heading && await page.locator('.main [role=alert]').count() === 0);
  await restart();
  await page.waitForSelector('[data-testid=away]', { state: 'detached' }).then(() => step('the page finds the server again by itself', true), () => step('the page finds the server again by itself', false));
  await page.locator('.foot .pulse').waitFor().then(() => step('and is live again', true), () => step('and is live again', false)); await context.close();
}

export async function actions(tools) {
  for (const [name, walk] of Object.entries({ uploads, models, endpoints, routing, runs, switches, keys, away })) {
    try { await walk({ ...tools, step: (what, ok, detail) => tools.check(`${name}: ${what}`, ok, detail) }); } catch (e) { tools.check(name, false, String(e.message).split('\n').slice(0, 3).join(' ')); }
  }
}
