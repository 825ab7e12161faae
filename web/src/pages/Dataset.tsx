import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { enc, useApi, useLive, type Json } from '../api/client';
import { BarsH } from '../charts/BarsH';
import { SparkHist } from '../charts/SparkHist';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Head, Loaded } from '../ui/State';
import { Tabs } from '../ui/Tabs';
import { ageOf, num, tone } from './state';

type Tab = 'profile' | 'rows' | 'versions' | 'rules';

/** Shares of a column's bins, or of its most frequent values. */
const shape = (c: Json): number[] => {
  const bins = c.histogram?.length ? c.histogram.map((b: Json) => b.count) : (c.top ?? []).slice(0, 20).map((v: Json) => v.count);
  const sum = bins.reduce((a: number, b: number) => a + b, 0) || 1;
  return bins.map((b: number) => b / sum);
};

function Questions({ drift }: { drift: Json }) {
  const t = useT(); const f = useFmt();
  const names: Record<string, string> = { centre: t('Has the centre moved?', '중심이 움직였나요?'), mode: t('Has the mode changed?', '최빈값이 바뀌었나요?'), symmetry: t('Is it as symmetric?', '대칭이 그대로인가요?'), skewness: t('Is it as skewed?', '치우침이 그대로인가요?'), likelihood: t('Would the old distribution produce this?', '이전 분포에서 나올 법한가요?') };
  const show = (v: unknown) => (typeof v === 'number' ? f.sig(v, 4) : String(v ?? '–'));
  return <table className="tb"><tbody>{Object.entries<Json>(drift.questions).map(([k, q]) => <tr key={k}><td>{names[k] ?? k}</td><td className="r num">{show(q.old)} → {show(q.new)}</td><td><Chip s={tone(q.verdict)}>{q.verdict === 'ok' ? t('as before', '그대로') : q.verdict === 'warn' ? t('moved', '움직임') : t('far', '크게 벗어남')}</Chip></td></tr>)}</tbody></table>;
}

function Column({ column, base, drift, anomalies }: { column: Json; base?: Json; drift?: Json; anomalies: Json[] }) {
  const t = useT(); const f = useFmt();
  const facts: [string, string][] = [[t('Type', '형식'), `${column.type}, ${column.meaning}`], [t('Missing', '결측'), f.int(column.missing)], [t('Distinct', '고유값'), f.int(column.distinct)]];
  if (column.type !== 'text') facts.push([t('Range', '범위'), `${f.sig(num(column.min))} … ${f.sig(num(column.max))}`], [t('Mean', '평균'), f.sig(num(column.mean), 5)], [t('Deviation', '표준편차'), f.sig(num(column.std), 5)], [t('Median', '중앙값'), f.sig(num(column.quantiles?.['0.5']), 5)]);
  return (
    <Panel title={column.name} hint={drift?.drift ? drift.reason : undefined}>
      {anomalies.map((a, i) => <div key={i} className={'note ' + (a.severity === 'error' ? 'n-bad' : 'n-warn')}><div className="col" style={{ gap: 4 }}><div className="b">{a.message}</div>{a.fix && <div className="t2 fs12">{a.fix}</div>}</div></div>)}
      <div style={{ padding: '8px 0' }}><SparkHist cur={shape(column)} old={base ? shape(base).concat(Array(Math.max(0, shape(column).length - shape(base).length)).fill(0)).slice(0, shape(column).length || 1) : shape(column).map(() => 0)} w={320} h={90} /></div>
      <table className="tb"><tbody>{facts.map(([k, v]) => <tr key={k}><td className="t2">{k}</td><td className="r num">{v}</td></tr>)}</tbody></table>
      {drift && Object.keys(drift.questions).length > 0 && <Questions drift={drift} />}
      {column.top?.length > 0 && <BarsH items={column.top.slice(0, 10).map((v: Json) => [v.value, v.count / Math.max(1, column.count)] as [string, number])} fmt={(v) => f.pct(v)} />}
    </Panel>
  );
}

function Profile({ id, number, base }: { id: string; number: string; base: string }) {
  const t = useT(); const f = useFmt();
  const [cur, setCur] = useState<string | null>(new URLSearchParams(location.search).get('col'));
  const query = useApi(`/datasets/${enc(id)}/profile?snapshot=${number}${base ? '&base=' + base : ''}`);
  return <Loaded query={query}>{(p) => {
    const driftOf = (name: string) => p.drift?.columns.find((d: Json) => d.name === name);
    const baseOf = (name: string) => p.base_columns?.find((d: Json) => d.name === name);
    const of = (name: string) => p.anomalies.filter((a: Json) => a.column === name);
    const chosen = p.columns.find((c: Json) => c.name === cur) ?? p.columns[0];
    const cols: Col<Json>[] = [
      { id: 'name', head: t('Column', '열'), w: 'minmax(150px, 1.4fr)', cell: (c) => <b className="trunc">{c.name}</b>, sort: (c) => c.name },
      { id: 'type', head: t('Type', '형식'), w: '100px', cell: (c) => <span className="t2">{c.type}</span> },
      { id: 'shape', head: t('Distribution', '분포'), w: '150px', cell: (c) => { const s = shape(c); return s.length > 0 ? <SparkHist cur={s} old={baseOf(c.name) ? s.map((_, i) => shape(baseOf(c.name))[i] ?? 0) : s.map(() => 0)} /> : null; } },
      { id: 'missing', head: t('Missing', '결측'), w: '90px', r: true, cell: (c) => f.pct(c.missing / Math.max(1, p.rows)), sort: (c) => c.missing },
      { id: 'distinct', head: t('Distinct', '고유값'), w: '100px', r: true, cell: (c) => f.int(c.distinct), sort: (c) => c.distinct },
      { id: 'mid', head: t('Median or top', '중앙값·최빈'), w: '120px', r: true, cell: (c) => <span className="trunc">{c.type === 'integer' || c.type === 'float' ? f.sig(num(c.quantiles?.['0.5'])) : c.mode}</span> },
      { id: 'state', head: t('State', '상태'), w: '130px', cell: (c) => of(c.name).length ? <Chip s={of(c.name).some((a: Json) => a.severity === 'error') ? 'bad' : 'warn'}>{t('anomaly', '이상')}</Chip> : driftOf(c.name)?.drift ? <Chip s="warn">{t('drifts', '드리프트')}</Chip> : <Chip s="ok">{t('fine', '정상')}</Chip> },
    ];
    return (
      <div className="split2">
        <Panel flush className="ex-list lst"><DataGrid rows={p.columns} cols={cols} label={t('Columns', '열')} id={(c) => c.name} rowH={38} cur={chosen.name} onCur={setCur} /></Panel>
        <div className="col" style={{ gap: 12 }}><Column column={chosen} base={baseOf(chosen.name)} drift={driftOf(chosen.name)} anomalies={of(chosen.name)} />
          {p.drift?.culprits.map((c: Json, i: number) => <div key={i} className="note n-warn"><div className="col" style={{ gap: 4 }}><div className="b">{c.slice}</div><div>{c.explanation}</div></div></div>)}</div>
      </div>
    );
  }}</Loaded>;
}

function Rows({ id, number }: { id: string; number: string }) {
  const t = useT();
  const query = useApi(`/datasets/${enc(id)}/rows?snapshot=${number}&limit=200`);
  return <Loaded query={query}>{(d) => <Panel flush><div style={{ overflow: 'auto', maxHeight: '65vh' }} tabIndex={0} role="region" aria-label={t('Rows', '행')}><table className="tb"><thead><tr>{d.columns.map((c: Json) => <th key={c.name}>{c.name}</th>)}</tr></thead><tbody>{d.rows.map((r: Json[], i: number) => <tr key={i}>{r.map((v, k) => <td key={k} className="num">{v == null ? <span className="t3">–</span> : String(v)}</td>)}</tr>)}</tbody></table></div></Panel>}</Loaded>;
}

export function Dataset() {
  const { id } = useParams({ strict: false }) as { id: string };
  const t = useT(); const f = useFmt();
  const search = new URLSearchParams(location.search);
  const [tab, setTab] = useState<Tab>((search.get('tab') as Tab) ?? 'profile');
  const [base, setBase] = useState(search.get('base') ?? ''); const [pick, setPick] = useState('');
  const query = useApi('/datasets/' + enc(id));
  usePage([[t('Data', '데이터'), '/p/default/data'], [id]], 'maru data profile ' + id, `/datasets/${enc(id)}/profile`);
  useLive(['project:default'], ['/datasets/' + enc(id)]);
  const rules = useApi(`/datasets/${enc(id)}/profile`);
  return (
    <div className="page fill"><Loaded query={query}>{(d) => {
      const latest = d.snapshots[0]; const number = pick || String(latest.number);
      const shown = d.snapshots.find((s: Json) => String(s.number) === number) ?? latest;
      return (<>
        <Head title={<>{id}<span className="t3">@{number}</span></>} meta={<><span>{f.int(shown.rows)} {t('rows', '행')}</span><span>{shown.columns.length} {t('columns', '열')}</span><span>{f.bytes(shown.bytes)}</span><span>{f.ago(ageOf(shown.created_us))}</span><span className="mono">{shown.id.slice(0, 12)}</span></>}
          acts={d.snapshots.length > 1 && <label className="row gap1 t2">{t('compare with', '비교 대상')}<select className="btn" value={base} onChange={(e) => setBase(e.target.value)}><option value="">–</option>{d.snapshots.filter((s: Json) => String(s.number) !== number).map((s: Json) => <option key={s.id} value={s.number}>@{s.number}</option>)}</select></label>} />
        <Tabs label={t('Views', '보기')} value={tab} onChange={setTab} items={[['profile', t('Profile', '프로파일')], ['rows', t('Rows', '행')], ['versions', t('Versions', '버전')], ['rules', t('Rules', '규칙')]]} />
        {tab === 'profile' && <Profile id={id} number={number} base={base} />}
        {tab === 'rows' && <Rows id={id} number={number} />}
        {tab === 'versions' && <Panel flush><table className="tb"><tbody>{d.snapshots.map((s: Json) => <tr key={s.id}><td><button className="lk" onClick={() => { setPick(String(s.number)); setTab('profile'); }}>@{s.number}</button></td><td className="mono fs12">{s.id.slice(0, 16)}</td><td className="r num">{f.int(s.rows)}</td><td className="trunc t2">{s.source || s.query}</td><td className="r t3">{f.ago(ageOf(s.created_us))}</td></tr>)}</tbody></table></Panel>}
        {tab === 'rules' && <Loaded query={rules}>{(p) => p.schema ? <Panel flush><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Type', '형식')}</th><th className="r">{t('Missing at most', '결측 한도')}</th><th>{t('Values', '값')}</th></tr></thead><tbody>{p.schema.columns.map((c: Json) => <tr key={c.name}><td>{c.name}</td><td className="t2">{c.type}</td><td className="r num">{f.pct(c.missing_max)}</td><td className="trunc t2">{c.domain.join(', ') || (c.min != null || c.max != null ? `${c.min ?? ''} … ${c.max ?? ''}` : t('any', '제한 없음'))}</td></tr>)}</tbody></table></Panel> : <p className="t2">{t('No schema yet; the first validation infers one:', '아직 스키마가 없습니다. 첫 검증이 추론합니다:')} <code>maru data validate {id}</code></p>}</Loaded>}
      </>);
    }}</Loaded></div>
  );
}
