import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { call, enc, useApi, useLive, type ApiError, type Json } from '../api/client';
import { SERIES } from '../charts/base';
import { TimeChart } from '../charts/TimeChart';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Stat } from '../ui/Stat';
import { Failure, Head, Loaded } from '../ui/State';
import { ageOf, num, tone } from './state';

function Traffic({ points }: { points: Json[] }) {
  const t = useT();
  if (points.length === 0) return <p className="t2">{t('No request in the last 15 minutes.', '최근 15분 동안 요청이 없습니다.')}</p>;
  const versions = [...new Set(points.flatMap((p) => Object.keys(p.by_version)))].sort();
  return <TimeChart time x={points.map((p) => p.time_us / 1e6)} min={0} height={190} label={t('Requests per second by version', '버전별 초당 요청')} lines={versions.map((v, i) => ({ label: 'v' + v, y: points.map((p) => p.by_version[v] ?? 0), color: SERIES[i % SERIES.length] }))} />;
}

/** A form of the signature, filled with a real training row. */
function TryIt({ name, model }: { name: string; model: string }) {
  const t = useT(); const [text, setText] = useState<string | null>(null); const [answer, setAnswer] = useState<Json>(null); const [error, setError] = useState<ApiError | null>(null);
  const query = useApi(`/models/${enc(model)}/signature`);
  const send = (body: string) => { setError(null); try { void call('POST', `/endpoints/${enc(name)}/predict`, { instances: [JSON.parse(body)] }).then(setAnswer, setError); } catch (e) { setError({ message: String(e), hint: '', status: 0, code: '', requestId: '' } as ApiError); } };
  return <Loaded query={query}>{(s) => {
    const row = text ?? JSON.stringify(Object.fromEntries(s.inputs.map((i: Json) => [i.name, i.example])), null, 1);
    return (<div className="col" style={{ gap: 8 }}>
      <textarea className="code" aria-label={t('One row as JSON', 'JSON 한 행')} value={row} rows={9} spellCheck={false} onChange={(e) => setText(e.target.value)} style={{ width: '100%' }} />
      <div className="row"><button className="btn primary" onClick={() => send(row)}>{t('Predict', '예측')}</button>{answer && <span className="num b">{JSON.stringify(answer.predictions[0])}</span>}{answer && <span className="t3 mono fs12">v{answer.version}</span>}</div>
      {error && <Failure error={error} />}
    </div>);
  }}</Loaded>;
}

export function Watched({ name }: { name: string }) {
  const t = useT(); const f = useFmt();
  const query = useApi(`/endpoints/${enc(name)}/monitor?limit=14`, 10000);
  const ack = (id: string) => void call('POST', `/alerts/${id}/acknowledge`, {}).then(() => query.refetch());
  return <Loaded query={query}>{(d) => {
    if (!d.config) return <Panel title={t('Drift and quality', '드리프트와 품질')}><p className="t2">{t('Nobody watches this endpoint.', '감시되지 않는 엔드포인트입니다.')}</p></Panel>;
    const windows = [...d.windows].reverse();
    const columns = [...new Set<string>(windows.flatMap((w: Json) => w.report?.columns?.map((c: Json) => c.name) ?? []))];
    return (<>
      {d.alerts.filter((a: Json) => !a.acknowledged).slice(0, 3).map((a: Json) => <div key={a.id} className="note n-warn"><div className="col grow" style={{ gap: 4 }}><div className="b">{a.message}</div><div className="t2 fs12">{f.ago(ageOf(a.time_us))}</div></div><button className="btn sm" onClick={() => ack(a.id)}>{t('Acknowledge', '확인')}</button></div>)}
      <Panel title={t('Realised quality', '실현된 품질')} hint={`${d.config.metric}, ${t('at training', '학습 때')} ${f.fix(num(d.config.reference_metric), 4)}`} flush><table className="tb"><thead><tr><th>{t('Window', '구간')}</th><th className="r">{t('Rows', '행')}</th><th className="r">{t('Labelled', '정답')}</th><th className="r">{d.config.metric}</th><th>{t('Drifting', '드리프트')}</th></tr></thead><tbody>{d.windows.map((w: Json) => <tr key={w.from_us}><td>{f.ago(ageOf(w.from_us))} {w.versions.map((v: number) => 'v' + v).join(' ')} {!w.closed && <span className="t3">{t('open', '진행 중')}</span>}</td><td className="r num">{f.int(w.rows)}</td><td className="r num">{f.pct(w.labelled / Math.max(1, w.rows), 0)}</td><td className="r num">{f.fix(num(w.realised), 4)} <span className="t3">[{f.fix(num(w.low), 4)}, {f.fix(num(w.high), 4)}]</span></td><td>{w.drifting.length ? <Chip s="warn">{w.drifting.slice(0, 4).join(', ')}{w.drifting.length > 4 && ` +${w.drifting.length - 4}`}</Chip> : <Chip s="ok">{t('none', '없음')}</Chip>}</td></tr>)}</tbody></table></Panel>
      {columns.length > 0 && <Panel title={t('Drift by input and window', '입력·구간별 드리프트')} flush><div style={{ overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('Drift by input and window', '입력·구간별 드리프트')}><table className="tb"><tbody>{columns.map((c) => <tr key={c}><td className="mono fs12">{c}</td>{windows.map((w: Json) => { const x = w.report?.columns?.find((k: Json) => k.name === c); return <td key={w.from_us} className="r num" title={x?.reason} style={x ? { background: `color-mix(in oklab, var(--heat-1) ${Math.round(Math.min(1, x.score * 2) * 100)}%, transparent)`, outline: x.drift ? '1.5px solid var(--bad-fill)' : undefined, outlineOffset: -2 } : undefined}>{x ? f.fix(num(x.score), 2) : ''}</td>; })}</tr>)}</tbody></table></div></Panel>}
    </>);
  }}</Loaded>;
}

export function Endpoint() {
  const { id } = useParams({ strict: false }) as { id: string };
  const t = useT(); const f = useFmt();
  const query = useApi('/endpoints/' + enc(id), 2000); const log = useApi(`/endpoints/${enc(id)}/log?limit=12`, 5000);
  usePage([[t('Endpoints', '엔드포인트'), '/p/default/endpoints'], [id]], 'maru endpoint list', '/endpoints/' + enc(id));
  useLive(['endpoint:' + id], ['/endpoints/' + enc(id) + '/monitor']);
  return (
    <div className="page"><Loaded query={query}>{(e) => (<>
      <Head title={<>{id} <Chip s={tone(e.state)}>{e.state === 'ready' ? t('ready', '정상') : e.state}</Chip></>} meta={<><span>{e.model}</span>{e.arms.map((a: Json) => <span key={a.version}>v{a.version}{a.selector && ' @' + a.selector} {f.pct(a.weight / e.arms.reduce((s: number, x: Json) => s + x.weight, 0), 0)}</span>)}</>} />
      {e.reason && <div className="note n-warn"><div className="b">{e.reason}</div></div>}
      <Panel><div className="stats"><Stat k={t('Traffic', '트래픽')} v={f.fix(e.latency.per_second, 1)} unit="/s" /><Stat k={t('Errors', '오류')} v={f.int(e.latency.errors)} tone={e.latency.errors ? 'bad' : ''} /><Stat k="p50" v={f.fix(e.latency.p50_us / 1000, 3)} unit="ms" /><Stat k="p99" v={f.fix(e.latency.p99_us / 1000, 3)} unit="ms" /><Stat k={t('Requests', '요청')} v={f.int(e.latency.count)} d={t('5 minutes', '최근 5분')} /><Stat k={t('Logged', '기록')} v={f.int(e.log.accepted)} d={e.log.shed ? t(`${e.log.shed} shed`, `${e.log.shed}건 버림`) : t('none shed', '버린 것 없음')} /></div></Panel>
      <Panel title={t('Live traffic', '실시간 트래픽')}><Traffic points={e.traffic} /></Panel>
      <div className="grid12">
        <Panel className="third" title={t('Where the time goes', '시간이 드는 곳')} flush><table className="tb"><thead><tr><th></th><th className="r">p50</th><th className="r">p90</th><th className="r">p99</th></tr></thead><tbody>{e.stages.map((s: Json) => <tr key={s.name}><td>{({ parse: t('reading', '해석'), queue: t('waiting', '대기'), model: t('model', '모델') } as Json)[s.name] ?? s.name}</td><td className="r num">{f.fix(s.p50_us, 0)} µs</td><td className="r num">{f.fix(s.p90_us, 0)} µs</td><td className="r num">{f.fix(s.p99_us, 0)} µs</td></tr>)}</tbody></table></Panel>
        <Panel className="third" title={t('Try it', '시험하기')}><TryIt name={id} model={e.model} /></Panel>
      </div>
      <Watched name={id} />
      <Panel title={t('Last requests', '최근 요청')} flush><Loaded query={log}>{(d) => <div style={{ overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('Last requests', '최근 요청')}><table className="tb"><tbody>{d.rows.map((r: Json) => <tr key={r.id}><td className="mono fs12">{r.id.slice(0, 14)}</td><td className="t3">{f.ago(ageOf(r.time_us))}</td><td>v{r.version}</td><td className="b">{r.prediction ?? ''}</td><td className="r num">{f.fix(num(r.score), 4)}</td><td className="r num t3">{r.total_us} µs</td></tr>)}</tbody></table></div>}</Loaded></Panel>
    </>)}</Loaded></div>
  );
}
