import { GitFork, History, ShieldAlert } from 'lucide-react';
import { num, type Schemas } from '../api/client';
import { useApi } from '../api/use';
import { DiffHist } from '../charts/DiffHist';
import { useHref } from '../lib/nav';
import { metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Panel } from '../ui/Panel';

type E = Schemas['Endpoint'];

/** What the shadow version would have said, beside what was answered. */
export function ShadowPanel({ e, className }: { e: E; className: string }) {
  const t = useT(); const f = useFmt(); const s = e.shadow, x = s?.evidence; if (!s || !x?.bins || !x.rows) return null;
  return (
    <Panel className={className} title={<span className="row gap1"><GitFork size={13} className="t3" />{t(`Shadow: v${s.version}`, `섀도: v${s.version}`)}</span>} hint={t('its answer minus ours', '섀도 답 − 실제 답')} right={<span className="t3 fs12 num">{f.int(x.rows)}</span>}>
      <DiffHist from={x.bins.from} to={x.bins.to} counts={x.bins.counts} />
      <div className="row wrap fs12" style={{ marginTop: 6 }}><span><b>{f.pct(x.same_class ?? 0, 1)}</b> {t('same answer', '같은 답')}</span><span className="t3">{t(`median |Δ| ${f.sig(x.median ?? 0)}, mean ${f.sig(x.mean ?? 0)}`, `중앙값 |Δ| ${f.sig(x.median ?? 0)}, 평균 ${f.sig(x.mean ?? 0)}`)}</span></div>
      {x.worst && x.worst.length > 0 && <div className="tscroll"><table className="tb fs12"><thead><tr><th>{t('Largest', '가장 큰 차이')}</th><th className="r">{t('Answered', '실제')}</th><th className="r">{t('Shadow', '섀도')}</th><th className="r">Δ</th></tr></thead><tbody>{x.worst.map((w) => <tr key={w.id}><td><code className="t3 fs11">{w.id}</code></td><td className="r">{f.fix(w.answered)}</td><td className="r">{f.fix(w.shadow)}</td><td className="r m">{f.sig(w.difference)}</td></tr>)}</tbody></table></div>}
    </Panel>
  );
}

/** The card in short: how good to expect it, and where not to trust it. */
export function ExpectPanel({ model, version, className }: { model: Schemas['Model']; version: number; className: string }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const v = model.versions.find((x) => x.version === version); const c = v?.card, r = c?.report; if (!v || !c || !r) return null;
  const metric = v.metrics[v.metric]; const worse = new Set(['rmse', 'mae', 'log_loss', 'brier']).has(v.metric); const low = (a: number | null | undefined) => a ?? (worse ? -1e9 : 1e9);
  // A slice is a limit when its whole interval lies on the wrong side of the mean.
  const weak = [...(r.slices ?? [])].filter((s) => s.rows >= 20 && num(s.metric.high) != null && metric?.value != null && (worse ? (s.metric.low ?? 0) > metric.value : (s.metric.high ?? 0) < metric.value)).sort((a, b) => (worse ? -1 : 1) * (low(a.metric.value) - low(b.metric.value))).slice(0, 4);
  const baseline = (c.baseline as { test?: { value?: number } } | undefined)?.test?.value;
  return (
    <Panel className={className} title={t(`What to expect of v${version}`, `v${version}에 기대할 것`)} right={<A className="link fs12" to={`${href('models', `${model.name}@${version}`)}?tab=card`}>{t('Model card', '모델 카드')}</A>}>
      <dl className="kv" style={{ fontSize: 13 }}>
        <dt>{t('Predicts', '예측 대상')}</dt><dd>{c.label ?? '–'}{(r.classes?.length ?? 0) > 0 && <span className="t3"> {r.classes!.slice(0, 6).join(', ')}</span>}</dd>
        {metric && <><dt>{metricLabel(t, v.metric)}</dt><dd className="num"><b>{f.fix(metric.value, 3)}</b> <span className="t3">[{f.fix(metric.low, 3)}, {f.fix(metric.high, 3)}] {t(`on ${f.int(r.rows)} unseen rows`, `보지 않은 ${f.int(r.rows)}행`)}</span></dd></>}
        {baseline != null && <><dt>{t('A simple model has', '단순한 모델은')}</dt><dd className="num">{f.fix(baseline, 3)}</dd></>}
        {c.rows && <><dt>{t('Learnt from', '학습한 데이터')}</dt><dd className="num">{f.int(c.rows.train)} {t('rows', '행')}</dd></>}
        {c.latency && <><dt>{t('One row takes', '한 행에')}</dt><dd className="num">p50 {f.us(c.latency.p50_us)} · p99 {f.us(c.latency.p99_us)}</dd></>}
      </dl>
      <h3 className="fs12 row gap1" style={{ margin: '10px 0 4px' }}><ShieldAlert size={13} className="t3" />{t('Limits', '한계')}</h3>
      <ul className="fs12 t2" style={{ margin: 0, paddingLeft: 18 }}>
        {weak.map((s, i) => <li key={i}>{t(`${s.column} = ${String(s.value)}: ${metricLabel(t, v.metric)} ${f.fix(s.metric.value, 3)} [${f.fix(s.metric.low, 3)}, ${f.fix(s.metric.high, 3)}]`, `${s.column} = ${String(s.value)}: ${metricLabel(t, v.metric)} ${f.fix(s.metric.value, 3)} [${f.fix(s.metric.low, 3)}, ${f.fix(s.metric.high, 3)}]`)}</li>)}
        {!weak.length && <li>{t('No slice of 20 rows or more is surely worse than the whole.', '20행 이상인 슬라이스 가운데 전체보다 확실히 나쁜 것은 없습니다.')}</li>}
        <li>{t('Values unlike the training data are answered too; drift tells of them.', '학습 데이터와 다른 값에도 답합니다. 드리프트에서 알 수 있습니다.')}</li>
        {c.rows?.test != null && c.rows.test < 1000 && <li>{t(`Measured on only ${f.int(c.rows.test)} rows.`, `측정에 쓴 행이 ${f.int(c.rows.test)}개뿐입니다.`)}</li>}
      </ul>
    </Panel>
  );
}

/** Who changed the route, or the alias that it follows. */
export function HistoryPanel({ endpoint, className }: { endpoint: string; className: string }) {
  const t = useT(); const f = useFmt(); const q = useApi<Schemas['EndpointHistory']>(`/endpoints/${encodeURIComponent(endpoint)}/history`, { live: 10000 }); const rows = q.data?.rows ?? []; if (!rows.length) return null;
  const words: Record<string, string> = { 'endpoint.put': t('route set', '라우팅 설정'), 'alias.set': t('alias moved', '별칭 이동'), 'canary.step': t('canary: next step', '카나리: 다음 단계'), 'canary.done': t('canary: passed', '카나리: 통과'), 'canary.rollback': t('canary: went back', '카나리: 되돌아감') };
  return (
    <Panel className={className} title={<span className="row gap1"><History size={13} className="t3" />{t('History of the route', '라우팅 이력')}</span>} flush><div className="tscroll tall" tabIndex={0} style={{ maxHeight: 240 }}><table className="tb"><tbody>{rows.map((r, i) => <tr key={i}><td className="t3 nowrap" title={f.iso(r.time_us)}>{f.ago(r.time_us)}</td><td className="nowrap">{words[r.action] ?? r.action}</td><td className="t2">{r.object !== endpoint && <code>{r.object}</code>} {r.detail}</td><td className="t3">{r.principal}</td></tr>)}</tbody></table></div></Panel>
  );
}
