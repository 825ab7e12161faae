import { ArrowRight, BarChart3, BookMarked, Boxes, Database, Filter, GitCompareArrows, Hammer, PackageCheck, Radio, RefreshCcw, ScanSearch, ShieldCheck } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { useHref } from '../lib/nav';
import { actionWord, alertTitle, causeText } from '../lib/say';
import { endpointState, metricLabel, stateWord } from '../lib/words';
import { useFmt, usePrefs, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';
import type { Status as Tone } from '../ui/status';
import { Welcome } from './Welcome';

type Status = Schemas['Status'];
const ICON = { ingest: Database, profile: ScanSearch, validate: ShieldCheck, transform: Filter, train: Hammer, evaluate: GitCompareArrows, register: Boxes, serve: Radio, monitor: BarChart3, retrain: RefreshCcw };

export function Home() {
  const t = useT(); const project = useProject();
  usePage([[t('Home', '홈')]], { cli: 'maru doctor', curl: curl(`/status?project=${project}`) });
  const query = useApi<Status>('/status', { live: 5000 });
  return <Loaded query={query}>{(s) => (s.verdict.level === 'empty' ? <Welcome /> : <Overview s={s} />)}</Loaded>;
}

function verdict(t: ReturnType<typeof useT>, s: Status): string {
  const n = s.verdict.needs; const down = s.endpoints.filter((e) => e.state !== 'ready').length;
  const first = s.endpoints.length === 0 ? t('Nothing is served yet.', '아직 서빙 중인 모델이 없습니다.') : down ? t(`${down} of ${s.endpoints.length} endpoints cannot answer.`, `엔드포인트 ${s.endpoints.length}개 중 ${down}개가 응답하지 못합니다.`) : t('Everything is serving.', '서비스는 모두 정상입니다.');
  return first + ' ' + (n === 0 ? t('Nothing needs you.', '확인할 일이 없습니다.') : n === 1 ? t('One thing needs you.', '확인할 일이 1건 있습니다.') : t(`${n} things need you.`, `확인할 일이 ${n}건 있습니다.`));
}

function Floor({ s }: { s: Status }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const { lang } = usePrefs();
  const names: Record<string, [string, string]> = { ingest: ['Ingest', '수집'], profile: ['Profile', '프로파일'], validate: ['Validate', '검증'], transform: ['Transform', '변환'], train: ['Train', '학습'], evaluate: ['Evaluate', '평가'], register: ['Register', '등록'], serve: ['Serve', '서빙'], monitor: ['Monitor', '모니터'], retrain: ['Retrain', '재학습'] };
  const units: Record<string, string> = { rows: '행', columns: '열', features: '피처', trial: '회 시도', trials: '회 시도', anomaly: '건 이상', anomalies: '건 이상', alert: '건 알림', alerts: '건 알림', '/s': '건/초', succeeded: '완료' };
  const home: Record<string, string> = { ingest: href('data'), profile: href('data'), validate: href('data'), transform: href('pipelines'), train: href('experiments'), evaluate: href('models'), register: href('models'), serve: href('endpoints'), monitor: href('monitor'), retrain: href('pipelines') };
  return (
    <nav className="floor" aria-label={t('Life cycle', '생애 주기')}>
      {s.stages.map((p) => {
        const I = ICON[p.key] ?? BookMarked; const tone = p.state === 'idle' ? 'wait' : p.state; const value = stateWord(t, p.value) || t('not yet', '아직');
        return <A key={p.key} to={p.href ?? home[p.key]} className={'fp s-' + tone}><span className="row gap1 fl"><I size={13} />{t(...names[p.key])}</span><span className="fv num trunc">{value} <small className="t3 m">{lang === 'ko' && units[p.unit] ? units[p.unit] : metricLabel(t, p.unit)}</small></span><span className="fd trunc">{p.age_us == null ? '–' : f.ago(Date.now() * 1000 - p.age_us)}</span><span className="fs"><StatusIcon s={tone as Tone} size={13} /></span></A>;
      })}
    </nav>
  );
}

function Needs({ s }: { s: Status }) {
  const t = useT(); const f = useFmt();
  const word = { alert: t('Alert', '알림'), failed_run: t('Run failed', '실행 실패'), blocked_data: t('Data blocked', '데이터 차단'), gate: t('Gate refused', '관문 거부') };
  return (
    <Panel className="hm-need" title={t('Needs you', '확인이 필요합니다')} right={<span className={'badge ' + (s.inbox.length ? 'warn' : '')}>{s.inbox.length}</span>} flush style={{ alignSelf: 'start' }}>
      {s.inbox.slice(0, 8).map((x) => (
        <div className="need" key={x.kind + x.id}>
          <div className="row gap1"><Chip s={x.severity}>{word[x.kind]}</Chip><span className="t3 fs12 end" title={f.iso(x.time_us)}>{f.ago(x.time_us)}</span></div>
          <div className="b fs14">{x.endpoint && <>{x.endpoint}: </>}{x.kind === 'alert' ? alertTitle(t, f, { kind: x.alert_kind ?? '', message: x.title, columns: x.columns ?? [], evidence: x.evidence }) : x.title}</div>
          {x.kind === 'alert' && x.columns ? x.columns.length > 1 && <p className="t2 fs12">{x.columns.slice(0, 4).join(', ')}{x.columns.length > 4 && t(` and ${x.columns.length - 4} more`, ` 외 ${x.columns.length - 4}개`)}</p> : x.detail && <p className="t2" style={{ overflowWrap: 'anywhere' }}>{x.detail}</p>}
          {(x.count ?? 0) > 1 && <p className="t3 fs12">{t(`The latest of ${f.int(x.count)} open alerts.`, `알림 ${f.int(x.count)}건 중 가장 최근 것입니다.`)}</p>}
          <div className="row"><A to={x.href} className="btn sm">{t('Look into it', '살펴보기')}<ArrowRight size={13} /></A></div>
        </div>
      ))}
      <div className="need quiet"><PackageCheck size={15} className="ok" /><span className="t3">{s.inbox.length ? t('Everything else is quiet.', '그 밖에는 조용합니다.') : t('All is quiet.', '모두 조용합니다.')}</span></div>
    </Panel>
  );
}

function Overview({ s }: { s: Status }) {
  const t = useT(); const f = useFmt(); const href = useHref();
  const blocked = s.datasets.filter((d) => d.errors > 0).length;
  const weak = s.endpoints.filter((e) => e.drifting > 0 || e.state !== 'ready').length;
  return (
    <div className="page">
      <div className="ph"><div><h1>{verdict(t, s)}</h1><div className="meta"><span>{f.date(Date.now() * 1000)}</span><span>{t('server up', '서버 가동')} {f.dur(s.server.uptime_s)}</span><span>{t('home', '홈 폴더')} <code>{s.server.home}</code></span></div></div></div>
      <Floor s={s} />
      <div className="grid12">
        <div className="hm-side">
          <Needs s={s} />
          <Panel className="hm-cost" title={t('What does it cost?', '비용은 얼마인가요?')}>
            <p className="answer">{f.dur(s.cost.cpu_seconds)} <span className="t3 m fs12">{t('of processor time since the server started', '서버 시작 이후 프로세서 시간')}</span></p>
            <dl className="kv" style={{ marginTop: 12 }}><dt>{t('One prediction', '예측 1건')}</dt><dd className="num">{s.cost.cpu_us_per_prediction > 0 ? f.us(s.cost.cpu_us_per_prediction) : '–'}</dd><dt>{t('Predictions', '예측')}</dt><dd className="num">{f.int(s.cost.predictions)}</dd><dt>{t('Memory', '메모리')}</dt><dd className="num">{f.bytes(s.cost.rss_bytes)}</dd><dt>{t('Data and models', '데이터와 모델')}</dt><dd className="num">{f.bytes(s.cost.disk_bytes)}</dd><dt>{t('Disk left', '남은 디스크')}</dt><dd className="num">{f.bytes(s.cost.disk_free_bytes)}</dd></dl>
          </Panel>
        </div>
        <div className="c8 m12 hm-q" style={{ display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(min(330px, 100%), 1fr))', gap: 14, alignContent: 'start' }}>
          <Panel title={t('Is my data all right?', '데이터는 괜찮은가요?')} right={<A className="link fs12" to={href('data')}>{t('All data', '전체 데이터')}</A>} flush>
            <p className="answer ap">{!s.datasets.length ? t('No data yet.', '아직 데이터가 없습니다.') : blocked ? t('Not all of it.', '일부에 문제가 있습니다.') : t('Yes.', '예.')} <span className="t3 m fs12">{blocked ? t(`${blocked} of ${s.datasets.length} sets break a rule`, `${s.datasets.length}개 중 ${blocked}개 규칙 위반`) : t(`${s.datasets.length} sets`, `데이터셋 ${s.datasets.length}개`)}</span></p>
            <div className="list">{s.datasets.slice(0, 6).map((d) => <A key={d.name} to={href('data', d.name)}><StatusIcon s={d.errors ? 'bad' : d.warnings ? 'warn' : 'ok'} /><div className="grow"><div className="m trunc">{d.name} <span className="t3">@{d.number}</span></div><div className="t3 fs12 trunc">{t(`${f.int(d.rows)} rows`, `${f.int(d.rows)}행`)} · {f.ago(d.updated_us)}</div></div>{d.errors + d.warnings > 0 && <span className="t2 fs12">{t(d.errors + d.warnings === 1 ? '1 anomaly' : `${d.errors + d.warnings} anomalies`, `이상 ${d.errors + d.warnings}건`)}</span>}</A>)}</div>
          </Panel>
          <Panel title={t('Is my model all right?', '모델은 괜찮은가요?')} right={<A className="link fs12" to={href('monitor')}>{t('Monitor', '모니터')}</A>} flush>
            <p className="answer ap">{!s.endpoints.length ? t('Nothing is served.', '서빙 중인 모델이 없습니다.') : weak ? t('Look at it.', '확인해 보세요.') : t('Yes.', '예.')} <span className="t3 m fs12">{weak ? t(weak === 1 ? `1 of ${s.endpoints.length} drifts or does not answer` : `${weak} of ${s.endpoints.length} drift or do not answer`, `${s.endpoints.length}개 중 ${weak}개 드리프트 또는 응답 불가`) : ''}</span></p>
            <div className="list">{s.endpoints.map((e) => <A key={e.name} to={href('endpoints', e.name)}><StatusIcon s={e.state === 'ready' && e.drifting ? 'warn' : endpointState(e.state)} /><div className="grow"><div className="m trunc">{e.name} <span className="t3">v{e.version}</span></div><div className="t3 fs12 trunc">{t(`${f.int(e.requests)} requests, ${f.int(e.errors)} failed`, `요청 ${f.int(e.requests)}건, 실패 ${f.int(e.errors)}건`)}{e.drifting ? t(` · ${e.drifting} inputs drift`, ` · 입력 ${e.drifting}개 드리프트`) : ''}</div></div><div className="right num" style={{ minWidth: 84 }}><div className="m">{e.realised == null ? '–' : `${metricLabel(t, e.metric)} ${f.fix(e.realised)}`}</div><div className="t3 fs12">p99 {e.p99_us > 0 ? f.us(e.p99_us) : '–'}</div></div></A>)}
              {s.models.map((m) => <A key={'m' + m.name} to={href('models', m.name)}><Boxes size={14} className="t3" /><div className="grow"><div className="m trunc">{m.name}</div><div className="t3 fs12">{m.champion ? t(`champion v${m.champion} of ${m.versions}`, `챔피언 v${m.champion}, 모두 ${m.versions}개`) : t(`${m.versions} versions`, `버전 ${m.versions}개`)}</div></div><span className="num t2">{m.metric ? `${metricLabel(t, m.metric)} ${f.fix(m.value)}` : ''}</span></A>)}
            </div>
          </Panel>
          <Panel className="hm-wide" title={t('What changed?', '무엇이 바뀌었나요?')} hint={t('newest first', '최신순')} flush>
            {s.changes.length ? <ul className="list">{s.changes.slice(0, 8).map((c, i) => <li key={i} style={{ alignItems: 'flex-start' }}><span className="t3 fs12 nowrap" style={{ minWidth: 66, paddingTop: 1 }} title={f.iso(c.time_us)}>{f.ago(c.time_us)}</span><div className="grow"><div><span className="m" title={c.action}>{actionWord(t, c.action)}</span> <span className="t2">{c.object}</span></div><div className="t3 fs12" style={{ overflowWrap: 'anywhere' }}>{[causeText(t, f, c.detail), c.principal].filter(Boolean).join(' · ')}</div></div></li>)}</ul> : <p className="t3" style={{ padding: '2px 14px 14px' }}>{t('No change is recorded yet.', '아직 기록된 변경이 없습니다.')}</p>}
          </Panel>
        </div>
      </div>
    </div>
  );
}
