import { Link } from '@tanstack/react-router';
import { ArrowRight } from 'lucide-react';
import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Stat } from '../ui/Stat';
import { Empty, Head, Loaded } from '../ui/State';
import { StatusIcon } from '../ui/StatusIcon';
import { ageOf, num, tone } from './state';

export function Home() {
  const t = useT(); const f = useFmt();
  usePage([[t('Home', '홈')]], 'maru doctor', '/status');
  useLive(['project:default'], ['/status']);
  const status = useApi('/status', 5000);
  const names: Record<string, string> = { ingest: t('Ingest', '수집'), profile: t('Profile', '프로파일'), validate: t('Validate', '검증'), transform: t('Transform', '변환'), train: t('Train', '학습'), evaluate: t('Evaluate', '평가'), register: t('Register', '등록'), serve: t('Serve', '서빙'), monitor: t('Monitor', '모니터'), retrain: t('Retrain', '재학습') };
  const verdict = (s: Json) => {
    if (s.verdict.level === 'empty') return t('Nothing here yet. Bring a file.', '아직 비어 있습니다. 파일을 하나 가져오세요.');
    const serving = s.endpoints.every((e: Json) => e.state === 'ready');
    const head = s.endpoints.length === 0 ? t('Nothing is being served yet.', '아직 서빙 중인 것이 없습니다.') : serving ? t('Everything is serving.', '서비스는 모두 정상입니다.') : t('An endpoint is not serving.', '서빙되지 않는 엔드포인트가 있습니다.');
    const n = s.verdict.needs;
    return head + ' ' + (n === 0 ? t('Nothing needs you.', '확인할 일이 없습니다.') : n === 1 ? t('One thing needs you.', '확인할 일이 1건 있습니다.') : t(`${n} things need you.`, `확인할 일이 ${n}건 있습니다.`));
  };
  return (
    <div className="page">
      <Loaded query={status}>{(s) => (<>
        <Head title={verdict(s)} meta={<><span>{t('up', '가동')} {f.dur(s.server.uptime_s)}</span><span className="mono">{s.server.home}</span></>} />
        <nav className="floor" aria-label={t('Life cycle', '생애 주기')}>
          {s.stages.map((p: Json) => {
            const body = <><span className="row gap1 fl">{names[p.key] ?? p.key}</span><span className="fv num">{p.value || '–'}</span><span className="fd trunc">{p.unit}{p.age_us != null && ' · ' + f.ago(p.age_us / 1e6)}</span><span className="fs"><StatusIcon s={tone(p.state)} size={13} /></span></>;
            return p.href ? <Link key={p.key} to={p.href as '/'} className={'fp s-' + p.state}>{body}</Link> : <span key={p.key} className={'fp s-' + p.state}>{body}</span>;
          })}
        </nav>
        <div className="grid12">
          <Panel className="hm-need" title={t('Needs you', '확인이 필요합니다')} right={<span className={'badge ' + (s.inbox.length ? 'warn' : '')}>{s.inbox.length}</span>} flush style={{ alignSelf: 'start' }}>
            {s.inbox.length === 0 && <div className="need t2">{s.verdict.level === 'empty' ? <Empty title={t('Start with a file', '파일로 시작하기')} text={t('Maru looks at it, writes a project file, trains and serves.', '마루가 파일을 살펴보고 프로젝트 파일을 쓰고, 학습하고, 서빙합니다.')} command="maru init FILE --label COLUMN && maru run" /> : t('Nothing.', '없습니다.')}</div>}
            {s.inbox.map((i: Json) => <div className="need" key={i.id + i.kind}><div className="row gap1"><Chip s={tone(i.severity)}>{({ alert: t('Alert', '알림'), failed_run: t('Failed run', '실패한 실행'), blocked_data: t('Refused', '거절됨'), gate: t('Gate', '관문') } as Json)[i.kind]}</Chip><span className="t3 fs12 end">{f.ago(ageOf(i.time_us))}</span></div><div className="b fs14">{i.title}</div><p className="t2">{i.detail}</p><div className="row"><Link to={i.href as '/'} className="btn primary sm">{t('Look into it', '살펴보기')}<ArrowRight size={13} /></Link></div></div>)}
          </Panel>
          <Panel className="third" title={t('Is my data all right?', '데이터는 괜찮은가요?')} flush>
            <table className="tb"><tbody>{s.datasets.map((d: Json) => <tr key={d.name}><td><Link to={('/p/default/data/' + encodeURIComponent(d.name)) as '/'} className="lk">{d.name}@{d.number}</Link></td><td className="r num">{f.int(d.rows)}</td><td><Chip s={d.errors ? 'bad' : d.warnings ? 'warn' : 'ok'}>{d.errors ? t(`${d.errors} errors`, `오류 ${d.errors}건`) : d.warnings ? t(`${d.warnings} remarks`, `주의 ${d.warnings}건`) : t('as expected', '정상')}</Chip></td><td className="t3 r">{f.ago(ageOf(d.updated_us))}</td></tr>)}</tbody></table>
          </Panel>
          <Panel className="third" title={t('Is my model all right?', '모델은 괜찮은가요?')} flush>
            <table className="tb"><tbody>{s.endpoints.map((e: Json) => <tr key={e.name}><td><Link to={('/p/default/endpoints/' + encodeURIComponent(e.name)) as '/'} className="lk">{e.name}</Link> <span className="t3">v{e.version}</span></td><td className="r num">{f.fix(num(e.per_second), 1)}/s</td><td className="r num">{e.metric} {f.fix(num(e.realised), 4)} <span className="t3">/ {f.fix(num(e.reference), 4)}</span></td><td><Chip s={e.state !== 'ready' ? 'bad' : e.drifting ? 'warn' : 'ok'}>{e.drifting ? t(`${e.drifting} drifting`, `드리프트 ${e.drifting}`) : e.state === 'ready' ? t('ready', '정상') : e.state}</Chip></td></tr>)}</tbody></table>
          </Panel>
          <Panel className="third" title={t('What changed?', '무엇이 바뀌었나요?')} flush>
            <table className="tb"><tbody>{s.changes.slice(0, 8).map((c: Json, i: number) => <tr key={i}><td className="t3 num">{f.ago(ageOf(c.time_us))}</td><td><span className="mono fs12">{c.action}</span> <b>{c.object}</b> <span className="t2">{c.detail}</span></td><td className="t3 r">{c.principal}</td></tr>)}</tbody></table>
          </Panel>
          <Panel className="third" title={t('What does it cost?', '비용은 얼마인가요?')}>
            <div className="stats"><Stat k={t('Processor time', 'CPU 시간')} v={f.dur(s.cost.cpu_seconds)} /><Stat k={t('Memory', '메모리')} v={f.bytes(s.cost.rss_bytes)} /><Stat k={t('Disk', '디스크')} v={f.bytes(s.cost.disk_bytes)} d={t('free', '여유') + ' ' + f.bytes(s.cost.disk_free_bytes)} /><Stat k={t('Predictions', '예측')} v={f.int(s.cost.predictions)} d={f.fix(s.cost.cpu_us_per_prediction, 0) + ' µs'} /></div>
          </Panel>
        </div>
      </>)}</Loaded>
    </div>
  );
}
