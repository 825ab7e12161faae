import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { call, enc, useApi, useLive, type ApiError, type Json } from '../api/client';
import { BarsH } from '../charts/BarsH';
import { XY } from '../charts/XY';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { CopyBtn } from '../ui/CopyBtn';
import { Modal } from '../ui/Modal';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Failure, Head, Loaded } from '../ui/State';
import { Tabs } from '../ui/Tabs';
import { ageOf, num } from './state';

function Interval({ v }: { v: Json }) {
  const f = useFmt();
  return <span className="num">{f.fix(num(v?.value), 4)} <span className="t3">[{f.fix(num(v?.low), 4)}, {f.fix(num(v?.high), 4)}]</span></span>;
}

/** What promoting would change, asked of the server first; one confirm. */
function Promote({ model, version, close }: { model: string; version: number; close(): void }) {
  const t = useT(); const [reason, setReason] = useState(''); const [error, setError] = useState<ApiError | null>(null);
  const path = `/models/${enc(model)}/aliases/champion`;
  const [plan, setPlan] = useState<Json>(null);
  if (!plan && !error) void call('PUT', path + '?dry_run=true', { version }).then(setPlan, setError);
  const go = () => void call('PUT', path, { version, reason }).then(close, setError);
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={t('Promote', '승격')}>
      <div className="col" style={{ gap: 12, padding: 18 }}>
        <h2>{t(`Promote v${version} to champion?`, `v${version}을(를) 챔피언으로 승격할까요?`)}</h2>
        {error && <Failure error={error} />}
        <ul>{plan?.consequences.map((c: string) => <li key={c}>{c}</li>)}</ul>
        <label className="col" style={{ gap: 4 }}>{t('Reason', '이유')}<input className="btn" value={reason} onChange={(e) => setReason(e.target.value)} /></label>
        <code className="fs12 t2">maru model promote {model}/{version}</code>
        <div className="row"><button className="btn primary" disabled={!plan} onClick={go}>{t('Promote', '승격')}</button><button className="btn" onClick={close}>{t('Cancel', '취소')}</button></div>
      </div>
    </Modal>
  );
}

function Card({ v }: { v: Json }) {
  const t = useT(); const f = useFmt(); const c = v.card; const r = c.report;
  if (!r) return <p className="t2">{t('This version has not been evaluated here.', '이 버전은 여기서 평가되지 않았습니다.')}</p>;
  const line = (points: Json[], x: string, y: string) => ({ x: points.map((p) => p[x]), y: points.map((p) => p[y]) });
  return (
    <div className="grid12">
      <Panel className="third" title={t('Quality on test rows', '시험 행에서의 품질')} hint={`${f.int(r.rows)} ${t('rows', '행')}, 95 %`} flush><table className="tb"><tbody>{Object.entries<Json>(r.metrics).map(([k, m]) => <tr key={k}><td className="mono fs12">{k}</td><td className="r"><Interval v={m} /></td></tr>)}</tbody></table></Panel>
      {r.slices.length > 0 && <Panel className="third" title={t('Slices', '슬라이스')} flush><div style={{ maxHeight: 300, overflow: 'auto' }} tabIndex={0} role="region" aria-label={t('Slices', '슬라이스')}><table className="tb"><tbody>{r.slices.map((s: Json) => <tr key={s.column + s.value}><td>{s.column}: <b>{s.value}</b></td><td className="r num t3">n = {f.int(s.rows)}</td><td className="r"><Interval v={s.metric} /></td></tr>)}</tbody></table></div></Panel>}
      {r.confusion.length > 0 && r.confusion.length <= 8 && <Panel className="third" title={t('Confusion', '혼동 행렬')} hint={t('rows: truth', '행: 정답')} flush><table className="tb"><thead><tr><th></th>{r.classes.map((k: string) => <th key={k} className="r">{k}</th>)}</tr></thead><tbody>{r.confusion.map((row: number[], i: number) => <tr key={i}><td><b>{r.classes[i]}</b></td>{row.map((n, k) => <td key={k} className="r num">{f.int(n)}</td>)}</tr>)}</tbody></table></Panel>}
      {r.curves.roc && <Panel className="third" title="ROC"><XY label="ROC" lines={[{ ...line(r.curves.roc, 'fpr', 'tpr'), c: 'var(--c1)' }]} diag xl={t('false positives', '거짓 양성률')} /></Panel>}
      {r.curves.pr && <Panel className="third" title={t('Precision and recall', '정밀도와 재현율')}><XY label="PR" lines={[{ ...line(r.curves.pr, 'recall', 'precision'), c: 'var(--c2)' }]} xl={t('recall', '재현율')} /></Panel>}
      {r.curves.calibration?.length > 0 && <Panel className="third" title={t('Calibration', '보정')}><XY label={t('Calibration', '보정')} lines={[{ x: r.curves.calibration.map((p: Json) => p.predicted), y: r.curves.calibration.map((p: Json) => p.observed), c: 'var(--c3)' }]} diag xl={t('predicted', '예측')} /></Panel>}
      {c.importance?.length > 0 && <Panel className="third" title={t('What the model looks at', '모델이 보는 것')}><BarsH items={c.importance.slice(0, 12)} fmt={(x) => f.pct(x)} /></Panel>}
      <Panel className="third" title={t('Models tried', '시도한 모델')} flush><table className="tb"><thead><tr><th>#</th><th>{t('Learner', '학습기')}</th><th className="r">{t('valid', '검증')}</th><th className="r">{t('train', '학습')}</th><th className="r">{t('took', '시간')}</th></tr></thead><tbody>{c.leaderboard.slice(0, 12).map((x: Json, i: number) => <tr key={x.number}><td className="t3">{i + 1}</td><td className="trunc" title={JSON.stringify(x.config)}>{x.learner}</td><td className="r num">{f.fix(num(x.valid), 4)}</td><td className="r num t2">{f.fix(num(x.train), 4)}</td><td className="r num t3">{f.dur(x.seconds)}</td></tr>)}</tbody></table></Panel>
      <Panel className="third" title={t('Made from', '만든 재료')} flush><table className="tb"><tbody><tr><td>{t('Label', '정답')}</td><td className="mono">{c.label}</td></tr><tr><td>{t('Data', '데이터')}</td><td>{c.dataset}</td></tr><tr><td>{t('Rows', '행')}</td><td className="num">{f.int(c.rows.train)} / {f.int(c.rows.valid)} / {f.int(c.rows.test)}</td></tr><tr><td>{t('Split', '분할')}</td><td>{c.split?.by ?? t('random, seeded', '무작위(시드 고정)')}</td></tr><tr><td>{t('Engine', '실행 엔진')}</td><td>{c.engine}, p99 {f.fix(num(c.latency?.p99_us), 1)} µs, {f.bytes(c.memory_bytes)}</td></tr></tbody></table></Panel>
    </div>
  );
}

function Api({ model, version }: { model: string; version: number }) {
  const t = useT();
  const query = useApi(`/models/${enc(model)}/signature?version=${version}`);
  return <Loaded query={query}>{(s) => {
    const row = Object.fromEntries(s.inputs.map((i: Json) => [i.name, i.example]));
    const curl = `curl -s ${location.origin}/api/v1/endpoints/${model}/predict -d '${JSON.stringify({ instances: [row] })}'`;
    return (<>
      <Panel title="curl" right={<CopyBtn text={curl} />}><pre className="code" tabIndex={0} style={{ whiteSpace: 'pre-wrap', margin: 0 }}>{curl}</pre></Panel>
      <Panel title={t('Inputs', '입력')} flush><table className="tb"><tbody>{s.inputs.map((i: Json) => <tr key={i.name}><td><b>{i.name}</b></td><td className="t2">{i.kind}</td><td className="mono fs12">{JSON.stringify(i.example)}</td><td>{i.required ? t('required', '필수') : t('may be missing', '생략 가능')}</td></tr>)}</tbody></table></Panel>
    </>);
  }}</Loaded>;
}

export function Model() {
  const { id } = useParams({ strict: false }) as { id: string };
  const name = id.split('@')[0]; const t = useT(); const f = useFmt();
  const [pick, setPick] = useState(Number(id.split('@')[1]) || 0); const [tab, setTab] = useState<'card' | 'api' | 'history'>('card');
  const [promote, setPromote] = useState(0); const [error, setError] = useState<ApiError | null>(null);
  const query = useApi('/models/' + enc(name));
  usePage([[t('Models', '모델'), '/p/default/models'], [name]], 'maru model show ' + name, '/models/' + enc(name));
  useLive(['model:' + name], ['/models/' + enc(name)]);
  const back = () => void call('POST', `/models/${enc(name)}/rollback`, { reason: 'rolled back from the page' }).then(() => query.refetch(), setError);
  return (
    <div className="page"><Loaded query={query}>{(m) => {
      const champion = m.aliases.champion; const v = m.versions.find((x: Json) => x.version === (pick || champion)) ?? m.versions[0];
      return (<>
        <Head title={name} meta={<><span>{m.task}</span><span>{champion ? t(`champion v${champion}`, `챔피언 v${champion}`) : t('no champion', '챔피언 없음')}</span></>}
          acts={<>{v.version !== champion && <button className="btn primary" onClick={() => setPromote(v.version)}>{t(`Promote v${v.version}`, `v${v.version} 승격`)}</button>}{m.history.length > 1 && <button className="btn" onClick={back}>{t('Roll back', '되돌리기')}</button>}</>} />
        {error && <Failure error={error} />}
        <Panel title={t('Versions', '버전')} flush><table className="tb"><tbody>{m.versions.map((x: Json) => <tr key={x.version} style={x.version === v.version ? { background: 'var(--hover)' } : undefined}>
          <td><button className="lk" onClick={() => setPick(x.version)} aria-pressed={x.version === v.version}>v{x.version}</button> {x.aliases.map((a: string) => <Chip key={a} s="alias">{a}</Chip>)}</td>
          <td>{x.metric} <Interval v={x.metrics[x.metric]} /></td>
          <td><span className="row" style={{ gap: 3 }}>{x.gates.map((g: Json) => <i key={g.name} title={`${g.name}: ${g.value} (${g.bound})`} style={{ width: 12, height: 9, borderRadius: 2, background: g.ok ? 'var(--ok-fill)' : 'var(--bad-fill)' }} />)}<span className="sr">{x.gates.filter((g: Json) => g.ok).length}/{x.gates.length} {t('gates passed', '관문 통과')}</span></span></td>
          <td className="r num">{f.pct(x.traffic, 0)} {t('of traffic', '트래픽')}</td><td className="r num t2">{f.bytes(x.bytes)}</td><td className="r t3">{f.ago(ageOf(x.created_us))}</td></tr>)}</tbody></table></Panel>
        {v.reason && <div className="note n-warn"><div className="b">{v.reason}</div></div>}
        <Panel title={t('Gates', '관문')} flush><table className="tb"><tbody>{v.gates.map((g: Json) => <tr key={g.name}><td><Chip s={g.ok ? 'ok' : 'bad'}>{g.ok ? t('pass', '통과') : t('fail', '실패')}</Chip></td><td className="mono fs12">{g.name}</td><td className="r num">{g.value}</td><td className="t2">{t('bound', '기준')} {g.bound}</td><td className="t2">{g.reason}</td></tr>)}</tbody></table></Panel>
        <Tabs label={t('Views', '보기')} value={tab} onChange={setTab} items={[['card', t('Model card', '모델 카드')], ['api', 'API'], ['history', t('History', '이력')]]} />
        {tab === 'card' && <Card v={v} />}
        {tab === 'api' && <Api model={name} version={v.version} />}
        {tab === 'history' && <Panel flush><table className="tb"><tbody>{m.history.map((h: Json, i: number) => <tr key={i}><td className="t3">{f.ago(ageOf(h.time_us))}</td><td><Chip s="alias">{h.alias}</Chip></td><td className="num">v{h.from || '–'} → v{h.to || '–'}</td><td className="t2">{h.reason}</td><td className="t3 r">{h.principal}</td></tr>)}</tbody></table></Panel>}
        {promote > 0 && <Promote model={name} version={promote} close={() => { setPromote(0); void query.refetch(); }} />}
      </>);
    }}</Loaded></div>
  );
}
