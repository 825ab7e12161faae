import { useParams } from '@tanstack/react-router';
import { History, Rocket } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { Schemas } from '../api/client';
import { useTopics } from '../api/live';
import { useApi } from '../api/use';
import { DASH, SERIES } from '../charts/base';
import { TimeChart } from '../charts/TimeChart';
import { josa } from '../lib/josa';
import { useHref } from '../lib/nav';
import { endpointState, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Planks } from '../ui/Planks';
import { Stat } from '../ui/Stat';
import { AroundPanel, lookOf } from './EndpointAround';
import { EndpointCalls } from './EndpointCalls';
import { EndpointLog } from './EndpointLog';
import { ExpectPanel, HistoryPanel, ShadowPanel } from './EndpointPanels';
import { QueuePanel } from './EndpointQueue';
import { MonitorPanels } from './MonitorPanels';
import { PromoteDialog } from './PromoteDialog';
import { RollbackDialog } from './RollbackDialog';
import { RouteEvidence, RoutePanel } from './RoutePanels';
import { TryIt } from './TryIt';

type E = Schemas['Endpoint']; type Live = { per_second?: number; p50_us?: number; p99_us?: number; requests?: number; errors?: number };

export function Endpoint() {
  const { id } = useParams({ strict: false }) as { id: string }; const t = useT(); const href = useHref(); const path = `/endpoints/${encodeURIComponent(id)}`; const [live, setLive] = useState<Live>({});
  usePage([[t('Endpoints', '엔드포인트'), href('endpoints')], [id]], { cli: `maru endpoint show ${id}`, curl: `curl -s ${location.origin}/api/v1${path}/predict -d '{"instances":[{}]}'` });
  const query = useApi<E>(path, { live: 2000 });
  useTopics([`endpoint:${id}`], (_t, d) => d && setLive(d as Live));
  return <Loaded query={query}>{(e) => <EndpointPage e={e} live={live} />}</Loaded>;
}

function Traffic({ e }: { e: E }) {
  const t = useT(); const f = useFmt();
  const versions = useMemo(() => [...new Set(e.traffic.flatMap((p) => Object.keys(p.by_version)))].sort((a, b) => Number(a) - Number(b)), [e.traffic]);
  const x = useMemo(() => e.traffic.map((p) => p.time_us / 1e6), [e.traffic]);
  const lines = versions.map((v, i) => ({ label: v === '0' ? t('fallback', '대체 답') : 'v' + v, color: SERIES[i % 8], dash: DASH[i % 8], y: e.traffic.map((p) => p.by_version[v] ?? 0), fill: undefined }));
  const legend = <div className="legend">{versions.map((v, i) => <span key={v}><i className="sw" style={{ background: SERIES[i % 8] }} />{v === '0' ? t('fallback', '대체 답') : 'v' + v}</span>)}</div>;
  return <Panel className="c8 m12" title={t('Live traffic', '실시간 트래픽')} hint={t('requests a second, by version', '초당 요청, 버전별')} right={legend}>{x.length > 1 ? <TimeChart time x={x} lines={lines} min={0} height={230} label={t(`Requests a second over ${x.length} seconds`, `${x.length}초 동안의 초당 요청`)} fmt={f.int} /> : <p className="t3" style={{ padding: '70px 0', textAlign: 'center' }}>{x.length ? t('Too few requests to draw in the last 15 minutes.', '최근 15분간 요청이 너무 적어 그릴 수 없습니다.') : t('No request in the last 15 minutes.', '최근 15분간 요청이 없습니다.')}</p>}</Panel>;
}

function EndpointPage({ e, live }: { e: E; live: Live }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [back, setBack] = useState(false); const [promote, setPromote] = useState(false);
  const model = useApi<Schemas['Model']>(`/models/${encodeURIComponent(e.model)}`).data;
  const champion = model?.aliases.champion; const earlier = model?.history.find((h) => h.alias === 'champion' && h.to === champion && h.from > 0);
  const rival = model?.versions.find((v) => v.version !== champion && v.state === 'ready' && (v.version === e.arms[1]?.version || v.version === e.arms[0]?.version || v.version === e.shadow?.version)); const evidence = !!e.shadow?.evidence?.rows;
  const answered = e.arms.reduce((a, x) => a + x.requests, 0), failed = e.arms.reduce((a, x) => a + x.errors, 0); const l = e.latency; const busy = l.count > 0;
  const seen = (v: number | undefined) => (busy && v ? f.us(v) : '–');
  const C = ['var(--idle-fill)', 'var(--c5)', 'var(--c1)', 'var(--c3)', 'var(--c2)'];
  const rows: [string, 'p50_us' | 'p90_us' | 'p95_us' | 'p99_us'][] = [['p50', 'p50_us'], ['p90', 'p90_us'], ['p95', 'p95_us'], ['p99', 'p99_us']]; const widest = Math.max(1, ...rows.map(([, k]) => e.stages.reduce((a, s) => a + s[k], 0)));
  const stage: Record<string, string> = { parse: t('parse', '해석'), queue: t('queue', '대기'), features: t('feature lookup', '피처 조회'), model: t('model', '모델'), post: t('answer', '답 쓰기') };
  const slow = [...e.stages].sort((a, b) => b.p99_us - a.p99_us)[0]; const slowShare = slow ? slow.p99_us / Math.max(1e-9, e.stages.reduce((a, s) => a + s.p99_us, 0)) : 0;
  return (
    <div className="page">
      <div className="ph"><div className="grow"><h1>{e.name}<Chip s={endpointState(e.state)}>{e.state === 'ready' ? t('Serving', '서빙 중') : stateWord(t, e.state)}</Chip></h1><div className="meta"><code>POST /api/v1/endpoints/{e.name}/predict</code><span>{t('model', '모델')} <A className="link" to={href('models', e.model)}>{e.model}</A></span>{e.reason && <span className="bad">{e.reason}</span>}</div></div>
        <div className="acts">{rival && rival.version !== earlier?.from && <button className="btn primary" onClick={() => setPromote(true)}><Rocket size={14} />{t(`Promote v${rival.version}`, `v${rival.version} 승격`)}</button>}{earlier && <button className="btn danger" onClick={() => setBack(true)}><History size={14} />{t(`Roll back to v${earlier.from}`, `${josa('v' + earlier.from, '으로/로')} 되돌리기`)}</button>}</div></div>
      <div className="stats">
        <Stat k={<>{(live.per_second ?? l.per_second) > 0 && <span className="pulse" />}{t('traffic', '트래픽')}</>} v={f.sig(live.per_second ?? l.per_second)} unit={t('req/s', '건/초')} d={t(`${f.int(answered)} answered`, `응답 ${f.int(answered)}건`)} />
        <Stat k={t('failed', '실패')} v={f.int(failed)} tone={failed ? 'bad' : 'ok'} d={f.pct(answered + failed ? failed / (answered + failed) : 0, 2)} />
        <Stat k="p50" v={seen(live.p50_us || l.p50_us)} d={t('last 5 minutes', '최근 5분')} /><Stat k="p99" v={seen(live.p99_us || l.p99_us)} d={`p95 ${seen(l.p95_us)}`} />
        <Stat k={t('logged', '기록')} v={f.int(e.log.written)} d={e.log.shed ? t(`${f.int(e.log.shed)} not kept`, `${f.int(e.log.shed)}건 버림`) : e.log.not_sampled ? t(`${f.int(e.log.not_sampled)} not sampled`, `표본 제외 ${f.int(e.log.not_sampled)}건`) : t('none lost', '유실 없음')} />
        <Stat k={t('CPU a request', '요청당 CPU')} v={e.cpu.measured ? f.us(e.cpu.mean_us) : '–'} d={e.cpu.measured && e.cpu.hour_price ? t(`${f.sig(((e.cpu.mean_us * 1e6) / 3.6e9) * e.cpu.hour_price, 2)} per million`, `백만 건당 ${f.sig(((e.cpu.mean_us * 1e6) / 3.6e9) * e.cpu.hour_price, 2)}`) : t('measured one in 16', '16건마다 측정')} />
        <Stat k={t('versions', '버전')} v={e.arms.map((a) => 'v' + a.version).join(' ') || '–'} d={e.shadow ? t(`v${e.shadow.version} in shadow`, `v${e.shadow.version} 섀도`) : t('no shadow', '섀도 없음')} />
      </div>
      <div className="grid12">
        <Traffic e={e} />
        <RoutePanel e={e} />
        <RouteEvidence e={e} />
        <Panel className={evidence ? 'c6 m12' : 'c12'} title={t('Where the time goes', '시간이 쓰이는 곳')}>{busy && e.stages.some((s) => s.count > 0) ? <div className="col" style={{ gap: 8 }}>{rows.map(([n, k]) => { const sum = e.stages.reduce((a, s) => a + s[k], 0); return <div key={n} className="row"><span className="t3 fs12" style={{ width: 32 }}>{n}</span><div className="grow"><div style={{ width: `${Math.max(4, (sum / widest) * 100)}%` }}><Planks h={14} parts={e.stages.map((s, i) => ({ w: s[k], c: C[i % 5], label: `${stage[s.name] ?? s.name} ${f.us(s[k])}` }))} /></div></div><span className="num m right" style={{ width: 80 }}>{f.us(sum)}</span></div>; })}{slow && slowShare > 0.5 && <p className="t2 fs12">{t(`The slow 1% spends most of its time in: ${stage[slow.name] ?? slow.name} (${f.us(slow.p99_us)}).`, `느린 1%는 대부분의 시간을 ${stage[slow.name] ?? slow.name}에 씁니다 (${f.us(slow.p99_us)}).`)}</p>}<div className="legend">{e.stages.map((s, i) => <span key={s.name}><i className="sw box" style={{ background: C[i % 5] }} />{stage[s.name] ?? s.name}</span>)}</div></div> : <p className="t3">{t('No request to measure yet.', '아직 잴 요청이 없습니다.')}</p>}</Panel>
        <ShadowPanel e={e} className="c6 m12" />
        <MonitorPanels endpoint={e.name} />
        <div className="c6 m12">{e.state === 'ready' && <TryIt endpoint={e.name} model={e.model} look={lookOf(e)} />}</div>
        <div className="c6 m12">{e.state === 'ready' && <EndpointCalls endpoint={e.name} />}</div>
        {model && e.arms[0] && <ExpectPanel model={model} version={e.arms[0].version} className="c6 m12" />}
        <AroundPanel e={e} className="c6 m12" />
        <QueuePanel e={e} className="c6 m12" />
        <HistoryPanel endpoint={e.name} className="c6 m12" />
        <div className="c12"><EndpointLog endpoint={e.name} model={e.model} log={e.log} /></div>
      </div>
      {promote && rival && <PromoteDialog model={e.model} version={rival} close={() => setPromote(false)} />}
      {back && earlier && champion && <RollbackDialog model={e.model} from={champion} to={earlier.from} close={() => setBack(false)} />}
    </div>
  );
}
