import { useParams } from '@tanstack/react-router';
import { FileStack, History, Rocket } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { lowerIsBetter, metricLabel, stateOf, stateWord, taskWord } from '../lib/words';
import { josa } from '../lib/josa';
import { gateName, unitText } from '../lib/say';
import { useFmt, usePrefs, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';
import { Tabs } from '../ui/Tabs';
import { ModelApi } from './ModelApi';
import { ModelCard } from './ModelCard';
import { ModelLineage } from './ModelLineage';
import { ModelFiles } from './ModelFiles';
import { PromoteDialog } from './PromoteDialog';
import { RollbackDialog } from './RollbackDialog';

type ModelT = Schemas['Model']; type Version = Schemas['ModelVersion'];

export function Model() {
  const { id } = useParams({ strict: false }) as { id: string }; const [name, at] = id.split('@'); const t = useT(); const href = useHref(); const path = `/models/${encodeURIComponent(name)}`;
  usePage([[t('Models', '모델'), href('models')], [id]], { cli: `maru model show ${name}`, curl: curl(path) });
  const query = useApi<ModelT>(path, { live: 10000 });
  return <Loaded query={query}>{(m) => <ModelPage m={m} at={at} />}</Loaded>;
}

function ModelPage({ m, at }: { m: ModelT; at?: string }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [get, set] = useView(); const tab = get('tab', 'versions') as 'versions' | 'card' | 'api' | 'files' | 'lineage' | 'history';
  const [promote, setPromote] = useState(false); const [back, setBack] = useState(false);
  const wanted = Number(get('v') || at || m.aliases.champion || m.versions[0]?.version); const cur = m.versions.find((v) => v.version === wanted) ?? m.versions[0]; const champion = m.versions.find((v) => v.version === m.aliases.champion);
  if (!cur) return <div className="page"><h1>{m.name}</h1><p className="t3">{t('No version yet.', '아직 버전이 없습니다.')}</p></div>;
  const isChampion = cur.version === m.aliases.champion; const earlier = m.history.find((h) => h.alias === 'champion' && h.to === m.aliases.champion && h.from > 0);
  return (
    <div className="page">
      <div className="ph">
        <div className="grow"><h1>{m.name}<span className="at">@{cur.version}</span>{cur.aliases.map((a) => <Chip key={a} s="alias" className={a === 'champion' ? '' : 'soft'}>@{a}</Chip>)}{cur.state !== 'ready' && <Chip s={stateOf(cur.state)} title={cur.reason}>{stateWord(t, cur.state)}</Chip>}</h1>
          <div className="meta"><span>{taskWord(t, m.task)}</span>{cur.card.label && <span>{t('predicts', '예측 대상')} <b>{cur.card.label}</b></span>}<span>{[cur.card.learner, cur.card.engine === 'python' ? 'Python' : 'ONNX', f.bytes(cur.bytes)].filter(Boolean).join(' · ')}</span><span title={f.iso(cur.created_us)}>{f.ago(cur.created_us)}</span>{cur.snapshot && <span>{t('data', '데이터')} {cur.card.dataset ? <A className="link underline" to={href('data', String(cur.card.dataset).replace(/@\d+$/, ''))}>{String(cur.card.dataset)}</A> : null} <code>{cur.snapshot.slice(0, 12)}</code></span>}{cur.run_id && <A className="link" to={href('experiments', '-', 'runs', cur.run_id)}>{t('source run', '원본 실행')} {cur.run_id.slice(-8)}</A>}</div></div>
        <div className="acts"><A className="btn" to={`${href('endpoints', '-', 'batch')}?model=${encodeURIComponent(m.name)}`}><FileStack size={14} />{t('Batch predictions', '배치 예측')}</A>{isChampion && earlier && <button className="btn danger" onClick={() => setBack(true)}><History size={14} />{t(`Roll back to v${earlier.from}`, `${josa('v' + earlier.from, '으로/로')} 되돌리기`)}</button>}{!isChampion && <button className="btn primary" disabled={cur.state !== 'ready'} onClick={() => setPromote(true)}><Rocket size={14} />{t('Promote to @champion', '@champion으로 승격')}</button>}</div>
      </div>
      <Tabs label={m.name} value={tab} onChange={(v) => set({ tab: v === 'versions' ? null : v })} items={[['versions', t('Versions', '버전')], ['card', t('Model card', '모델 카드')], ['api', 'API'], ['files', t('Files', '파일')], ['lineage', t('Lineage', '계보')], ['history', t('History', '이력')]]} />
      {tab === 'card' ? <ModelCard v={cur} /> : tab === 'api' ? <ModelApi name={m.name} version={cur} /> : tab === 'files' ? <ModelFiles name={m.name} version={cur.version} /> : tab === 'lineage' ? <ModelLineage name={m.name} v={cur} /> : tab === 'history' ? <AliasHistory m={m} /> : <VersionsTab m={m} cur={cur} champion={champion} pick={(v) => set({ v: String(v) })} />}
      {promote && <PromoteDialog model={m.name} version={cur} close={() => setPromote(false)} />}{back && earlier && <RollbackDialog model={m.name} from={m.aliases.champion} to={earlier.from} close={() => setBack(false)} />}
    </div>
  );
}

function VersionsTab({ m, cur, champion, pick }: { m: ModelT; cur: Version; champion?: Version; pick(v: number): void }) {
  const t = useT(); const f = useFmt(); const { lang } = usePrefs(); const [get, set] = useView(); const wish = m.versions.find((v) => v.version === Number(get('with')) && v.version !== cur.version); const other = wish ?? (champion && champion.version !== cur.version ? champion : m.versions.find((v) => v.version < cur.version));
  const passed = cur.gates.filter((g) => g.ok).length;
  return (
    <div className="md-split">
      <Panel title={t('Versions', '버전')} right={<span className="t3 fs12">{m.versions.length}</span>} flush className="md-lad"><ol className="ladder">{m.versions.map((x) => <li key={x.version}><button className={'rung' + (cur.version === x.version ? ' on' : '')} aria-pressed={cur.version === x.version} onClick={() => pick(x.version)}>
        <span className="vno num">v{x.version}</span><span className="grow col" style={{ gap: 3 }}><span className="row" style={{ gap: 6 }}><span className="num m">{f.fix(x.metrics[x.metric]?.value, 4)}</span>{x.aliases.map((a) => <Chip key={a} s="alias" className={a === 'champion' ? '' : 'soft'}>@{a}</Chip>)}{x.traffic > 0 && <span className="t3 fs11 end num">{f.pct(x.traffic, 0)}</span>}</span>
          <span className="row" style={{ gap: 6 }}><span className="pips" role="img" aria-label={t(`${x.gates.filter((g) => g.ok).length} of ${x.gates.length} gates passed`, `관문 ${x.gates.length}개 중 ${x.gates.filter((g) => g.ok).length}개 통과`)}>{x.gates.map((g) => <i key={g.name} className={g.ok ? '' : 'b'} />)}</span><span className="t3 fs11 end nowrap">{f.ago(x.created_us)}</span></span></span></button></li>)}</ol></Panel>
      <Panel className="md-main" title={other ? t(`v${cur.version} against v${other.version}`, `${josa('v' + cur.version, '과/와')} v${other.version} 비교`) : t(`v${cur.version}`, `v${cur.version}`)} hint={t('on the test rows of each', '각 버전의 시험 데이터 기준')} right={m.versions.length > 2 && other ? <select className="input" style={{ width: 120, height: 26 }} aria-label={t('Compare with', '비교 대상')} value={other.version} onChange={(e) => set({ with: e.target.value })}>{m.versions.filter((v) => v.version !== cur.version).map((v) => <option key={v.version} value={v.version}>v{v.version}</option>)}</select> : undefined} flush>
        <div className="tscroll" tabIndex={0}><table className="tb"><thead><tr><th>{t('Metric', '지표')}</th><th className="r">v{cur.version}</th><th className="r hide-m">95%</th>{other && <><th className="r">v{other.version}</th><th className="r">{t('Difference', '차이')}</th></>}</tr></thead><tbody>{Object.entries(cur.metrics).map(([k, v]) => { const o = other?.metrics[k]; const d = o?.value != null && v.value != null ? v.value - o.value : null; const good = d == null || d === 0 ? '' : (d > 0) !== lowerIsBetter(k) ? 'ok' : 'warn'; return <tr key={k}><td title={k} className={k === cur.metric ? 'm' : 't2'}>{metricLabel(t, k)}</td><td className="r m">{f.fix(v.value, 4)}</td><td className="r t3 hide-m">{v.low != null ? `${f.fix(v.low)} … ${f.fix(v.high)}` : '–'}</td>{other && <><td className="r t2">{f.fix(o?.value, 4)}</td><td className={'r ' + good}>{f.signed(d, 4)}</td></>}</tr>; })}
          <tr><td className="t2">{t('Size', '크기')}</td><td className="r m">{f.bytes(cur.bytes)}</td><td className="hide-m" />{other && <><td className="r t2">{f.bytes(other.bytes)}</td><td /></>}</tr>{cur.card.latency && <tr><td className="t2">{t('Latency p99, one row', '지연 p99, 1행')}</td><td className="r m">{f.us(cur.card.latency.p99_us)}</td><td className="hide-m" />{other && <><td className="r t2">{f.us(other.card.latency?.p99_us)}</td><td /></>}</tr>}</tbody></table></div>
        {cur.reason && <p className="t2" style={{ padding: '10px 14px' }}>{cur.reason}</p>}
      </Panel>
      <Panel className="md-gates" title={t('Gates', '관문')} right={<Chip s={passed === cur.gates.length ? 'ok' : 'bad'}>{t(`${passed} of ${cur.gates.length}`, `${passed} / ${cur.gates.length}`)}</Chip>} flush>{cur.gates.length ? <ul className="gates">{cur.gates.map((g) => <li key={g.name}><StatusIcon s={g.ok ? 'ok' : 'bad'} /><span className="grow"><span className={g.ok ? '' : 'm'}>{gateName(t, f, g)}</span>{g.reason && (lang === 'en' || !g.ok) && <span className="t3 fs11" lang="en" style={{ display: 'block', overflowWrap: 'anywhere' }}>{unitText(g.reason)}</span>}</span><span className={'num ' + (g.ok ? 't2' : 'bad m')}>{unitText(f.sig(g.value, 4))}</span></li>)}</ul> : <p className="t3" style={{ padding: '0 14px 14px' }}>{t('No gate was set.', '설정된 관문이 없습니다.')}</p>}</Panel>
    </div>
  );
}

function AliasHistory({ m }: { m: ModelT }) {
  const t = useT(); const f = useFmt();
  return <Panel flush title={t('Who moved which alias', '별칭 이동 이력')}>{m.history.length ? <ul className="list">{m.history.map((h, i) => <li key={i}><Chip s="alias" className="soft">@{h.alias}</Chip><span className="num m">{h.from ? `v${h.from}` : '–'} → v{h.to}</span><span className="grow t2">{h.reason}</span><span className="t3 fs12">{h.principal}</span><span className="t3 fs12" title={f.iso(h.time_us)}>{f.ago(h.time_us)}</span></li>)}</ul> : <p className="t3" style={{ padding: '0 14px 14px' }}>{t('No alias has moved.', '이동한 별칭이 없습니다.')}</p>}</Panel>;
}
