// The experiment pages against the real binary with runs that came over MLflow's REST API: 10,000 runs of 100 metrics in a table (first
// rows, frames of a scroll), filter and its errors, trash, the run page with its viewers, a comparison; axe, both languages, no error.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RUNS = Number(process.env.MARU_E2E_RUNS ?? 10_000), METRICS = 100;
const PIXEL = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC', 'base64');

export async function experimentRuns({ base, open, settle, check, shots, frames: drawn, each }) {
  const rest = async (path, body) => { const a = await fetch(`${base}/api/2.0/mlflow/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }); if (!a.ok) throw new Error(`${path} ${a.status} ${(await a.text()).slice(0, 200)}`); return a.json(); };
  const get = async (path) => (await fetch(`${base}/api/v1${path}`)).json();
  const step = (name, ok, detail = '') => check(`runs: ${name}`, ok, detail);
  const experiment = async (name) => (await rest('experiments/create', { name })).experiment_id;

  // A few rich runs, in two languages, with curves, notes, files and data.
  const small = await experiment('vision/작은 실험'); await experiment('vision/resnet/deep'); const now = Date.now(); const ids = [];
  for (let i = 0; i < 6; i++) {
    const { run } = await rest('runs/create', { experiment_id: small, start_time: now - 600_000 + i, run_name: `walk-${i}`, tags: [{ key: 'team', value: i % 2 ? 'red' : 'blue' }] }); const id = run.info.run_id; ids.push(id);
    const metrics = []; for (let s = 0; s < 200; s++) { const v = Math.exp(-s / (30 + i * 8)) + 0.05 * i + 0.03 * Math.sin(s * 1.7); metrics.push({ key: 'loss', value: v, step: s, timestamp: now - 600_000 + s * 1000 }, { key: 'accuracy', value: 1 - v / 2, step: s, timestamp: now - 600_000 + s * 1000 }); }
    metrics.push({ key: 'final', value: 0.9 - i / 100, step: 0, timestamp: now }); metrics.push({ key: 'odd', value: 'NaN', step: 0, timestamp: now });
    for (let k = 0; k < 14; k++) for (let s = 0; s < 20; s++) metrics.push({ key: `layer_${k}/grad`, value: Math.sin(s / (k + 1)) + 1.2, step: s, timestamp: now + s });
    for (let k = 0; k < metrics.length; k += 1000) await rest('runs/log-batch', { run_id: id, metrics: metrics.slice(k, k + 1000), params: k ? [] : [{ key: 'lr', value: String(0.1 / (i + 1)) }, { key: 'depth', value: String(3 + i) }, { key: 'model', value: i % 2 ? 'tree' : 'net' }, { key: 'seed', value: '7' }] });
    await rest('runs/log-inputs', { run_id: id, datasets: [{ dataset: { name: 'flights', digest: 'abc123', source_type: 'local', source: '{"uri":"flights.csv"}' }, tags: [{ key: 'mlflow.data.context', value: 'training' }] }] });
    const put = (path, body) => fetch(`${base}/api/2.0/mlflow-artifacts/artifacts/${small}/${id}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`, { method: 'PUT', body });
    const curve = Array.from({ length: 21 }, (_, k) => k / 20);
    await put('eval/evaluation.json', JSON.stringify({ confusion: [[90 - i, 10 + i], [12, 88]], classes: ['no', 'yes'], threshold: 0.5, curves: { roc: curve.map((x) => ({ fpr: x, tpr: x ** (0.2 + i / 20) })), pr: curve.map((x) => ({ recall: x, precision: 1 - x ** 3 / 2 })), calibration: curve.map((x) => ({ predicted: x, observed: x * x, rows: 10 })) } }));
    if (i === 0) { await put('plots/그림.png', PIXEL); await put('table.csv', 'name,value\n"a, b",1\nc,2\n'); await put('page.html', '<h1>hello</h1><script>document.title = "owned"</script>'); await put('README.md', '# Title\n\n**bold** and [link](javascript:alert(1)) `code`\n\n- one\n- two\n'); await put('weights.bin', Buffer.alloc(2000)); await put('rows/january.parquet', readFileSync(new URL('../../examples/flights/flights_2013_01.parquet', import.meta.url))); }
    if (i < 2) await put('confusion_matrix.png', PIXEL);
    if (i !== 5) await rest('runs/update', { run_id: id, status: 'FINISHED', end_time: now - 300_000 });
  }
  await rest('runs/set-tag', { run_id: ids[0], key: 'mlflow.note.content', value: '# What I saw\n\nThe **loss** falls; see `lr`.\n\n| a | b |\n|---|---|\n| 1 | 2 |' });

  // Ten thousand runs of a hundred metrics.
  const big = await experiment('wide'); let began = Date.now(); let next = 0;
  await Promise.all(Array.from({ length: 8 }, async () => { while (next < RUNS) { const i = next++; const { run } = await rest('runs/create', { experiment_id: big, start_time: now - i * 1000, run_name: `run-${i}` }); await rest('runs/log-batch', { run_id: run.info.run_id, metrics: Array.from({ length: METRICS }, (_, k) => ({ key: `m${String(k).padStart(2, '0')}`, value: ((i * 7919 + k * 104_729) % 10_007) / 10_007, step: 1, timestamp: now })), params: [{ key: 'i', value: String(i) }] }); } }));
  console.log(`runs: ${RUNS} runs × ${METRICS} metrics logged in ${((Date.now() - began) / 1000).toFixed(1)} s`);

  const { context, page, errors } = await open(1440, 900); const all = Array.from({ length: METRICS }, (_, k) => `m:m${String(k).padStart(2, '0')}`).join(',');
  const wide = `${base}/p/default/experiments/wide?lang=en`;
  await page.goto(`${base}/p/default/experiments?lang=en`); await settle(page); // the shell and the server are warm; the table is not
  for (const [label, query] of [['default columns', ''], [`${METRICS} metric columns`, `&cols=${encodeURIComponent(all)}`]]) {
    await page.goto('about:blank'); await page.goto(`${wide}${query}`, { waitUntil: 'commit' });
    const rows_ms = await page.evaluate(() => new Promise((resolve) => { const look = () => { if (document.querySelector('.sheet .srow .namelink')) resolve(performance.now()); else requestAnimationFrame(look); }; look(); }));
    console.log(`runs: first rows of ${RUNS} (${label}) ${Math.round(rows_ms)} ms after the navigation began (target 300)`); step(`the first rows are drawn (${label})`, rows_ms > 0);
    const frames = await page.evaluate(() => new Promise((resolve) => { const box = document.querySelector('.sheet'); const times = []; let last = performance.now(), n = 0; const go = (at) => { times.push(at - last); last = at; box.scrollTop += 90; if (n > 60) box.scrollLeft += 12; if (++n < 180) requestAnimationFrame(go); else resolve(times.slice(2)); }; requestAnimationFrame(go); }));
    const sorted = [...frames].sort((a, b) => a - b); const late = frames.filter((x) => x > 20).length; const mean = frames.reduce((a, b) => a + b) / frames.length;
    console.log(`runs: scroll (${label}) mean ${mean.toFixed(1)} ms a frame, p95 ${sorted[Math.floor(sorted.length * 0.95)].toFixed(1)}, worst ${sorted.at(-1).toFixed(1)}, ${late} of ${frames.length} later than 20 ms (target 16.7 a frame)`);
    step(`few elements are drawn (${label})`, await page.locator('.sheet [role=gridcell]').count() < 1500, String(await page.locator('.sheet [role=gridcell]').count()));
  }
  await page.goto(wide); await settle(page); await page.evaluate(() => { document.querySelector('.sheet').scrollTop = 1e9; });
  await page.getByRole('link', { name: `run-${RUNS - 1}`, exact: true }).waitFor(); step('the last run is one scroll away', true);

  // Filter: completion, meaning, error and its place.
  await page.goto(wide); await settle(page); const box = page.getByRole('combobox', { name: /Filter/ }); await box.fill('metrics.m0'); await page.getByRole('option', { name: 'metrics.m03' }).click(); step('completion puts the key in', (await box.inputValue()) === 'metrics.m03 ');
  await box.fill('metrics.m03 > 0.5 AND params.i LIKE \'12%\''); await page.waitForFunction((n) => document.querySelector('[data-testid=total]')?.textContent !== n, RUNS.toLocaleString('en-GB'));
  const found = (await rest('runs/search', { experiment_ids: [big], filter: 'metrics.m03 > 0.5 AND params.i LIKE \'12%\'', max_results: 5000 })).runs?.length ?? 0; const told = async () => Number((await page.locator('[data-testid=total]').innerText()).replace(/\D/g, '')); for (let i = 0; i < 100 && await told() !== found; i += 1) await drawn(page); step('the filter means what runs/search means', found > 0 && await told() === found, `${await told()} / ${found}`);
  await box.fill('metrics.m03 >'); await page.locator('.ferr').waitFor(); step('a wrong filter says where', /position/.test(await page.locator('.ferr').innerText()) && await page.locator('.ferr mark').count() === 1, await page.locator('.ferr').innerText()); await box.fill(''); await page.locator('.ferr').waitFor({ state: 'detached' }); await settle(page);
  errors.splice(0, errors.length, ...errors.filter((e) => !/400/.test(e)));

  // Trash and back.
  await page.goto(`${base}/p/default/experiments/${encodeURIComponent('vision/작은 실험')}?lang=en`); await settle(page); await page.getByRole('checkbox').nth(0).click(); await page.getByRole('checkbox').nth(1).click(); if (shots) await page.screenshot({ path: `${shots}/runs-selected.png` });
  const count = async (view) => (await get(`/experiments/${small}/runs?limit=1&view=${view}`)).total; await page.getByRole('button', { name: 'Move to trash' }).click(); await page.getByRole('dialog').getByRole('button', { name: 'Move to trash' }).click(); await page.getByRole('dialog').waitFor({ state: 'hidden' }); step('two runs are in the trash', await count('deleted') === 2 && await count('active') === 4);
  await page.getByRole('button', { name: 'Trash', exact: true }).click(); await page.getByRole('checkbox').nth(1).waitFor(); await page.getByRole('checkbox').nth(0).click(); await page.getByRole('checkbox').nth(1).click(); await page.getByRole('button', { name: 'Restore' }).click(); await page.getByText('The trash is empty').waitFor(); step('both came back', await count('active') === 6);

  // Live: a point that is logged appears without a reload.
  await page.goto(`${base}/p/default/experiments/${encodeURIComponent('vision/작은 실험')}/runs/${ids[5]}?lang=en`); await settle(page); await page.locator('.foot .pulse').waitFor();
  began = Date.now(); await rest('runs/log-metric', { run_id: ids[5], key: 'fresh', value: 42.5, step: 0, timestamp: Date.now() }); await page.getByText('42.5').waitFor(); console.log(`runs: a logged metric is on the page after ${Date.now() - began} ms`); step('the run page follows the run', true);
  // Notes and tags.
  await page.getByRole('button', { name: 'Edit' }).click(); await page.getByRole('textbox', { name: 'Notes' }).fill('seen **today**'); await page.getByRole('button', { name: 'Save' }).click(); await page.locator('.md b').waitFor(); step('notes are kept as MLflow keeps them', (await get(`/experiment-runs/${ids[5]}`)).tags['mlflow.note.content'] === 'seen **today**');
  await page.getByRole('button', { name: 'Rename' }).click(); await page.getByLabel('Name of the run').fill('walked'); await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click(); await page.getByRole('heading', { name: /walked/ }).waitFor(); step('a run gets a new name', (await get(`/experiment-runs/${ids[5]}`)).name === 'walked');

  // Viewers.
  for (const [file, look] of [['plots/그림.png', '.view img'], ['table.csv', '.view table td:has-text("a, b")'], ['README.md', '.view .md b'], ['eval/evaluation.json', '.view pre'], ['page.html', '.view iframe[sandbox=""]'], ['weights.bin', '.view button'], ['rows/january.parquet', '.view td:has-text("EWR")']]) { await page.goto(`${base}/p/default/experiments/x/runs/${ids[0]}?lang=en&tab=artifacts&file=${encodeURIComponent(file)}`); await settle(page); await page.locator(look).first().waitFor(); if (file.endsWith('png')) step('a picture is drawn', await page.locator('.view img').evaluate((i) => i.decode().then(() => i.naturalWidth)) === 10); }
  await page.goto(`${base}/p/default/experiments/x/compare?runs=${ids[0]},${ids[1]}&lang=en`); await settle(page); await page.locator('.pics img').nth(1).waitFor(); step('pictures that both runs logged stand side by side', await page.locator('.pics img').count() === 2);
  step('every file has its viewer and a script in a page does not run', !(await page.title()).includes('owned')); errors.splice(0, errors.length, ...errors.filter((e) => !/sandboxed/.test(e)));
  step('no page logged an error', errors.length === 0, errors.slice(0, 3).join(' | ')); errors.length = 0;

  // Traces: three spans over OpenTelemetry's wire; search, state, the tree, a span that failed.
  const hex = (n, digits) => n.toString(16).padStart(digits, '0'); const attribute = (key, value) => ({ key, value: { stringValue: JSON.stringify(value) } });
  for (let i = 1; i <= 3; i++) {
    const ns = (ms) => `${(now - 60_000 + i * 1000 + ms)}000000`; const span = (k, parent, name, from, to, more) => ({ traceId: hex(i, 32), spanId: hex(i * 16 + k, 16), ...(parent ? { parentSpanId: hex(i * 16 + parent, 16) } : {}), name, startTimeUnixNano: ns(from), endTimeUnixNano: ns(to), status: { code: 1 }, attributes: [], ...more });
    const spans = [span(1, 0, 'answer', 0, 260, { attributes: [attribute('mlflow.spanType', 'CHAIN'), attribute('mlflow.spanInputs', { q: `질문 ${i}` }), attribute('mlflow.spanOutputs', 'an answer')], ...(i === 2 ? { status: { code: 2, message: 'refused' } } : {}) }), span(2, 1, 'retrieve', 5, 60), span(3, 1, 'llm', 70, 255, { attributes: [attribute('mlflow.spanInputs', { prompt: 'hello' })], events: [{ name: 'first_token', timeUnixNano: ns(90), attributes: [] }], ...(i === 2 ? { status: { code: 2, message: 'too long' } } : {}) })];
    const sent = await fetch(`${base}/v1/traces`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'x-mlflow-experiment-id': small }, body: JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'walk' }, spans }] }] }) }); if (!sent.ok) throw new Error(`v1/traces ${sent.status} ${await sent.text()}`);
  }
  const traces = `/p/default/experiments/${encodeURIComponent('vision/작은 실험')}/traces`; const listed = (n) => page.waitForFunction((k) => document.querySelectorAll('.dg .dr').length === k, n).then(() => true, () => false);
  await page.goto(`${base}/p/default/experiments/${encodeURIComponent('vision/작은 실험')}?lang=en`); await settle(page); await page.getByRole('button', { name: 'Traces', exact: true }).click(); await page.waitForURL('**/traces**'); step('three traces are listed', await listed(3));
  await page.getByRole('button', { name: 'Failed', exact: true }).click(); step('one of them failed', await listed(1)); await page.getByRole('button', { name: 'All', exact: true }).click(); await listed(3);
  await page.getByRole('combobox', { name: /Filter/ }).fill('질문 3'); step('a word is found in what a trace was asked', await listed(1)); await page.getByRole('combobox', { name: /Filter/ }).fill(''); await listed(3);
  await page.getByRole('button', { name: 'Failed', exact: true }).click(); await listed(1); await page.locator('.dg .dr').first().click(); await page.getByRole('tree').waitFor(); await settle(page);
  step('the tree holds every span', await page.getByRole('treeitem').count() === 3 && await page.getByRole('treeitem').nth(2).getAttribute('aria-level') === '2'); step('the span that failed is open', await page.locator('.tr-span').getByText('too long').isVisible() && await page.locator('.tr-span pre').first().innerText().then((x) => x.includes('hello')));
  await page.getByRole('tab', { name: /Events/ }).click(); step('its event is told', await page.locator('.tr-span').getByText('first_token').isVisible());
  await page.locator('.tr-tree .fold').first().click(); step('a folded span hides what is below it', await page.getByRole('treeitem').count() === 1); const failedTrace = new URL(page.url()).pathname; step('no trace page logged an error', errors.length === 0, errors.slice(0, 3).join(' | ')); await context.close();

  // Every page in both languages and themes.
  const e = `/p/default/experiments`; const one = `${e}/${encodeURIComponent('vision/작은 실험')}`;
  const pages = { list: e, table: `${one}?sel=${ids[0]},${ids[1]}`, wide: `${e}/wide`, run: `${one}/runs/${ids[0]}`, metrics: `${one}/runs/${ids[0]}?tab=metrics&smooth=0.6`, files: `${one}/runs/${ids[0]}?tab=artifacts&file=table.csv`, compare: `${one}/compare?runs=${ids.join(',')}&smooth=0.3`, 'compare-500': `${e}/wide/compare?top=500`, traces, trace: failedTrace };
  await each([['light', 'en', 1440, 900], ['dark', 'ko', 390, 844], ['dark', 'ko', 1440, 900]].flatMap((look) => Object.entries(pages).map((page) => [...look, ...page])), async ([theme, lang, width, height, name, path]) => {
    const label = `${name} ${theme}/${lang}/${width}`; const v = await open(width, height);
    try {
      const at = Date.now(); await v.page.goto(`${base}${path}${path.includes('?') ? '&' : '?'}theme=${theme}&lang=${lang}`); await settle(v.page); if (name === 'compare-500') console.log(`runs: comparison of 500 × ${METRICS} ${Date.now() - at} ms (${theme}, ${width})`);
      if (shots) { await v.page.screenshot({ path: `${shots}/runs-${name}-${width}-${theme}-${lang}.png` }); const h = await v.page.evaluate(() => document.querySelector('.main').scrollHeight); if (h > 900 && width > 1000) { await v.page.setViewportSize({ width, height: Math.min(3000, h + 100) }); await drawn(v.page); await settle(v.page); await v.page.screenshot({ path: `${shots}/runs-${name}-full-${theme}-${lang}.png` }); await v.page.setViewportSize({ width, height }); } }
      step(`${label} shows no error card`, await v.page.locator('.main [role=alert]').count() === 0); const over = await v.page.evaluate(() => { const m = document.querySelector('.main'); return m.scrollWidth - m.clientWidth; }); step(`${label} does not scroll sideways`, over <= 1, `${over} px`);
      await v.page.evaluate(axe); const bad = await v.page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })); step(`${label} passes axe`, bad.violations.length === 0, bad.violations.map((x) => `${x.id} ${x.nodes.length} ${x.nodes[0].target.join(' ')} ${x.nodes[0].html.slice(0, 120)}`).join(' | ')); step(`${label} logs no error`, v.errors.length === 0, v.errors.slice(0, 2).join(' | '));
    } catch (x) { step(label, false, `${String(x.message).split('\n')[0]} ${v.errors.slice(0, 2).join(' | ')}`); }
    await v.context.close();
  });
}
