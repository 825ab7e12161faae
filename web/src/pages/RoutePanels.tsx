import { OctagonX, Radio, GitFork, Scale } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { DASH, lin, SERIES, useWidth } from '../charts/base';
import { XY } from '../charts/XY';
import { useHref } from '../lib/nav';
import { posteriors } from '../lib/posterior';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';
import { Slide } from '../ui/Slide';

type E = Schemas['Endpoint']; type X = Schemas['RouteExperiment']; type Interval = Schemas['RewardInterval'];
const armName = (a: Schemas['Arm']) => a.selector || a.version;

/** Who gets which version: shares, a slider for two arms, the kill switch, the shadow. */
export function RoutePanel({ e }: { e: E }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const total = e.arms.reduce((a, x) => a + x.weight, 0) || 1;
  const shares = e.arms.map((a) => a.weight / total); const kind = (e.route as { kind?: string } | null)?.kind ?? 'weighted'; const stopped = !!e.experiment?.stopped;
  const put = useChange<Schemas['EndpointSummary'], object>((route) => ({ path: `/endpoints/${encodeURIComponent(e.name)}`, method: 'PUT', body: { model: e.model, route } }));
  const written = (weights: number[]) => ({ ...(e.route ?? {}), arms: e.arms.map((a, i) => ({ version: armName(a), weight: weights[i] })) });
  const route = e.route as { sticky?: { header?: string }; rules?: { header: string; value: string; version: number | string }[]; rollback_on?: string[] } | null;
  const back: Record<string, string> = { errors: t('it fails more often', '실패가 늘면'), latency_p99: t('its p99 is worse', 'p99가 나빠지면'), reward: t('its reward is worse', '보상이 나빠지면') };
  const mode = kind === 'canary' ? t('canary', '카나리') : kind === 'bandit' ? t('bandit', '밴딧') : e.experiment && e.experiment.reward !== 'none' ? 'A/B' : t('fixed', '고정');
  return (
    <Panel className="c4 m12" title={t('Route', '라우팅')} hint={t('who gets which version', '버전별 비율')} right={e.arms.length > 1 ? <span className="t3 fs12">{mode}</span> : undefined}>
      <div className="lane"><span className="t3 fs12 row gap1"><Radio size={12} />{e.lane === 'experimental' ? t('experimental lane', '실험 경로') : t('production lane', '운영 경로')}</span>
        <div className="splitbar">{e.arms.map((a, i) => <div key={a.version} className={'v' + (i % 4)} style={{ flexGrow: Math.max(shares[i], 0.08) }}><b>v{a.version}</b><span className="num">{f.pct(shares[i], shares[i] > 0 && shares[i] < 0.01 ? 1 : 0)}</span></div>)}</div>
        {e.arms.length === 2 && kind === 'weighted' && !stopped && <Split share={shares[0]} version={e.arms[0].version} busy={put.isPending} apply={(s) => put.mutate(written([s, 100 - s]))} />}
        {e.arms.length > 1 && <div className="row fs12">{stopped ? <span className="bad">{t(`Stopped: v${e.arms[0].version} answers everything.`, `정지됨: v${e.arms[0].version}이 모두 답합니다.`)}</span> : <span className="t3">{t('applies at once, no reload', '즉시 적용, 재적재 없음')}</span>}
          <button className={'btn end' + (stopped ? '' : ' danger')} disabled={put.isPending} onClick={() => put.mutate({ ...(e.route ?? {}), stopped: !stopped })}><OctagonX size={13} />{stopped ? t('Share again', '다시 나누기') : t('Stop sharing', '나누기 정지')}</button></div>}
        {e.arms.length > 1 && !stopped && <p className="t3 fs12">{t('sticky by', '고정 기준')} <code>{route?.sticky?.header ?? 'X-Route-Key'}</code>{route?.rules?.map((r, i) => <span key={i}> · <code>{r.header}: {r.value}</code> → v{r.version}</span>)}</p>}
        {kind === 'canary' && <div className="row wrap gap1 fs12"><span className="t3">{t('goes back by itself when', '스스로 되돌아가는 때')}</span>{(route?.rollback_on ?? ['errors', 'latency_p99']).map((w) => <span key={w} className="chip plain">{back[w] ?? w}</span>)}</div>}
        {put.error && <ErrorNote error={put.error} />}</div>
      <table className="tb" style={{ marginTop: 10 }}><thead><tr><th>{t('Version', '버전')}</th><th>{t('Chosen by', '선택 기준')}</th><th className="r">{t('Answered', '응답')}</th><th className="r">{t('Failed', '실패')}</th></tr></thead><tbody>{e.arms.map((a) => <tr key={a.version}><td><A className="link m" to={href('models', `${e.model}@${a.version}`)}>v{a.version}</A></td><td className="t2">{a.selector ? '@' + a.selector.replace(/^@/, '') : '–'}</td><td className="r">{f.int(a.requests)}</td><td className={'r ' + (a.errors ? 'bad' : '')}>{f.int(a.errors)}</td></tr>)}</tbody></table>
      {e.shadow && <div className="lane" style={{ borderBottom: 0, paddingBottom: 0 }}><span className="t3 fs12 row gap1"><GitFork size={12} />{t('shadow', '섀도')}</span><p className="t2 fs12">{t(`v${e.shadow.version} answers nobody: ${f.int(e.shadow.requests)} compared, ${f.int(e.shadow.differences)} differ.`, `v${e.shadow.version}은 섀도: 비교 ${f.int(e.shadow.requests)}건, 차이 ${f.int(e.shadow.differences)}건.`)}</p></div>}
    </Panel>
  );
}

function Split({ share, version, busy, apply }: { share: number; version: number; busy: boolean; apply(share: number): void }) {
  const t = useT(); const now = Math.round(share * 100); const [value, set] = useState(now); useEffect(() => set(now), [now]);
  const label = t(`Share of v${version}, percent`, `v${version} 비율, 퍼센트`);
  return <div className="row"><div className="grow"><Slide label={label} value={value} onChange={set} /></div><input className="input num" style={{ width: 64 }} type="number" min={0} max={100} aria-label={label} value={value} onChange={(e) => set(Math.min(100, Math.max(0, Number(e.target.value) || 0)))} /><button className="btn" disabled={busy || value === now} onClick={() => apply(value)}>{t('Apply', '적용')}</button></div>;
}

/** What the route has learned so far; nothing for one arm or without rewards and steps. */
export function RouteEvidence({ e }: { e: E }) {
  const x = e.experiment; if (!x) return null;
  return <>{x.canary && <CanaryPanel x={x} e={e} />}{x.bandit ? <BanditPanel x={x} /> : x.differences && x.differences.length > 0 && <AbPanel x={x} />}</>;
}

/** An interval as a bar over a scale that all rows share. */
function IntervalBar({ interval, from, to, zero, color }: { interval: Interval; from: number; to: number; zero?: boolean; color: string }) {
  const [ref, w] = useWidth<HTMLDivElement>(); const X = lin(from, to, 4, w - 4);
  return <div ref={ref} style={{ minWidth: 90 }}>{w > 0 && <svg width={w} height={18} aria-hidden style={{ display: 'block' }}>{zero && <line x1={X(0)} x2={X(0)} y1={0} y2={18} stroke="var(--line-2)" strokeDasharray="3 3" />}<line x1={X(interval.low)} x2={X(interval.high)} y1={9} y2={9} stroke={color} strokeWidth={5} opacity=".35" strokeLinecap="round" /><circle cx={X(interval.value)} cy={9} r={4} fill={color} /></svg>}</div>;
}

function AbPanel({ x }: { x: X }) {
  const t = useT(); const f = useFmt(); const rows = x.differences!; const known = rows.flatMap((r) => (r.interval ? [r.interval] : [])); const from = Math.min(0, ...known.map((i) => i.low)), to = Math.max(0, ...known.map((i) => i.high));
  return (
    <Panel className="c12" title={<span className="row gap1"><Scale size={13} className="t3" />{t('A/B: difference of the mean reward', 'A/B: 평균 보상의 차이')}</span>} hint={t(`${f.pct(x.confidence, 0)} at every look`, `언제 보아도 ${f.pct(x.confidence, 0)}`)}>
      <div className="tscroll"><table className="tb"><thead><tr><th>{t('Version', '버전')}</th><th className="r">{t('Rewards', '보상 수')}</th><th className="r">{t('Mean', '평균')}</th><th className="r">{t('Difference', '차이')}</th><th style={{ width: '30%' }}><span className="sr">{t('Interval', '구간')}</span></th><th>{t('Verdict', '판정')}</th></tr></thead><tbody>
        {(x.arms ?? []).map((a, i) => { const d = rows.find((r) => r.version === a.version); return <tr key={a.version}><td className="m">v{a.version}</td><td className="r">{f.int(a.rewards)}</td><td className="r">{a.mean == null ? '–' : f.sig(a.mean)}</td><td className="r">{d?.interval ? `${d.interval.value > 0 ? '+' : ''}${f.sig(d.interval.value)} [${f.sig(d.interval.low)}, ${f.sig(d.interval.high)}]` : i === 0 ? t('compared with', '비교 기준') : '–'}</td><td>{d?.interval && <IntervalBar interval={d.interval} from={from} to={to} zero color={SERIES[i % 8]} />}</td>
          <td>{!d ? '' : d.decided ? <Chip s="ok">{t(`v${d.winner} is better`, `v${d.winner} 우세`)}</Chip> : <span className="row gap1"><Chip s="run">{t('undecided', '미정')}</Chip><span className="t3 fs12">{d.rewards_needed ? t(`about ${f.int(d.rewards_needed)} rewards needed`, `보상 약 ${f.int(d.rewards_needed)}개 필요`) : d.interval ? '' : t('too few rewards', '보상 부족')}</span></span>}</td></tr>; })}
      </tbody></table></div>
    </Panel>
  );
}

function BanditPanel({ x }: { x: X }) {
  const t = useT(); const f = useFmt(); const b = x.bandit!; const names: Record<string, string> = { thompson: 'Thompson', ucb: 'UCB', epsilon_greedy: 'ε-greedy' };
  return (
    <Panel className="c12" title={t('Bandit: chance of the reward, so far', '밴딧: 지금까지의 보상')} right={<span className="t3 fs12">{names[b.policy]} · {t(`at least ${f.pct(b.minimum_share, 1)} each`, `각 최소 ${f.pct(b.minimum_share, 1)}`)}{b.maximum_regret != null && <> · {t(`regret up to ${f.sig(b.maximum_regret)}`, `후회 한도 ${f.sig(b.maximum_regret)}`)}</>}</span>}>
      {b.segments.map((s) => { const drawn = x.reward === 'binary' && s.arms.every((a) => a.rewards > 0) ? posteriors(s.arms.map((a) => ({ mean: a.mean ?? null, rewards: a.rewards }))) : null; return (
        <div key={s.segment} className={drawn ? 'band' : ''} style={{ marginTop: 8 }}>
          {drawn && <XY label={t('Posterior of each version', '버전별 사후 분포')} height={180} noY xd={drawn.range} yd={[0, 1.06]} xl={t('reward', '보상')} lines={drawn.curves.map((c, i) => ({ ...c, c: SERIES[i % 8], dash: DASH[i % 8].join(' '), name: 'v' + s.arms[i].version, fill: true }))} />}
          <div className="tscroll"><table className="tb fs12"><caption className={b.segments.length > 1 ? 't2' : 'sr'} style={{ textAlign: 'left' }}>{s.segment || (b.segments.length > 1 ? t('all others', '나머지') : t('all calls', '모든 호출'))}</caption><thead><tr><th>{t('arm', '버전')}</th><th className="r">{t('mean', '평균')}</th><th className="r">{t('best?', '최선 확률')}</th><th className="r">{t('traffic', '비중')}</th><th className="r">n</th></tr></thead><tbody>{s.arms.map((a, i) => <tr key={a.version}><td><span className="row gap1"><svg width="18" height="6" aria-hidden><line x1="0" x2="18" y1="3" y2="3" stroke={SERIES[i % 8]} strokeWidth="2.2" strokeDasharray={DASH[i % 8].join(' ')} /></svg>v{a.version}</span></td><td className="r">{a.mean == null ? '–' : f.sig(a.mean)}</td><td className="r">{f.pct(s.best_chance[i], 1)}</td><td className="r m">{f.pct(s.shares[i], 1)}</td><td className="r t3">{f.int(a.rewards)}</td></tr>)}</tbody></table>
            <p className="t3 fs12" style={{ marginTop: 8 }}>{s.exploring ? t(`Regret so far: about ${f.sig(s.regret)} rewards.`, `지금까지의 후회: 보상 약 ${f.sig(s.regret)}.`) : t('The regret limit is reached: the best arm has all.', '후회 한도에 이르러 가장 나은 버전이 모두 받습니다.')}</p></div>
        </div>); })}
    </Panel>
  );
}

function CanaryPanel({ x, e }: { x: X; e: E }) {
  const t = useT(); const f = useFmt(); const c = x.canary!; const v = e.arms[e.arms.length - 1].version;
  const state = c.phase === 'done' ? <Chip s="ok">{t('passed all its steps', '모든 단계 통과')}</Chip> : c.phase === 'rolled_back' ? <Chip s="bad">{t('went back', '되돌아감')}</Chip> : <Chip s="run">{t(`step ${c.step + 1} of ${c.steps.length}`, `${c.steps.length}단계 중 ${c.step + 1}단계`)}</Chip>;
  return (
    <Panel className="c12" title={t(`Canary: v${v}`, `카나리: v${v}`)} right={state}>
      <ol className="row wrap" style={{ gap: 8, listStyle: 'none', padding: 0, margin: 0 }}>{c.steps.map((s, i) => <li key={s}><span className={'chip ' + (c.phase === 'running' && i === c.step ? 'run' : c.phase !== 'rolled_back' && (c.phase === 'done' || i < c.step) ? 'ok' : 'plain')}>{f.pct(s, s < 0.1 ? 1 : 0)}</span></li>)}</ol>
      <p className={c.phase === 'rolled_back' ? 'bad' : 't2'} style={{ marginTop: 10 }}>{c.phase === 'rolled_back' ? c.reason : c.phase === 'done' ? (c.promote ? t('It becomes the champion.', '챔피언이 됩니다.') : t('It answers everything.', '모두 답합니다.')) : t(`${f.int(c.requests_in_step ?? 0)} of ${f.int(c.step_requests)} requests in this step, at least ${f.dur(c.step_seconds)}; errors, latency and reward are looked at all the time.`, `이 단계 요청 ${f.int(c.requests_in_step ?? 0)} / ${f.int(c.step_requests)}건, 최소 ${f.dur(c.step_seconds)}; 오류, 지연, 보상을 계속 살핍니다.`)}</p>
    </Panel>
  );
}
