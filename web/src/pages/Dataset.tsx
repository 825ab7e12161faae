import { useParams } from '@tanstack/react-router';
import { useMemo } from 'react';
import { Check } from 'lucide-react';
import { HistOverlay } from '../charts/HistOverlay';
import { SparkHist } from '../charts/SparkHist';
import { num, type Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { median, missingShare, overlay } from '../lib/profile';
import { useHref, useView } from '../lib/nav';
import { anomalyFix, anomalyText, culpritText, driftReason } from '../lib/say';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';
import { StatusIcon } from '../ui/StatusIcon';
import type { Status } from '../ui/status';
import { Tabs } from '../ui/Tabs';
import { DatasetFacts } from './DatasetFacts';
import { DatasetRows } from './DatasetRows';
import { DatasetRules } from './DatasetRules';
import { DatasetSensitive } from './DatasetSensitive';
import { DatasetVersions } from './DatasetVersions';
import { FiveQuestions } from './FiveQuestions';

type Profile = Schemas['Profile']; type Column = Schemas['ColumnProfile'];

export function Dataset() {
  const { id } = useParams({ strict: false }) as { id: string }; const [name, at] = id.split('@');
  const t = useT(); const href = useHref(); const [get] = useView();
  const dataset = useApi<Schemas['Dataset']>(`/datasets/${encodeURIComponent(name)}`);
  const number = Number(at ?? dataset.data?.snapshots[0]?.number ?? 0);
  const older = dataset.data?.snapshots.find((s) => s.number < number && !s.dropped)?.number;
  const base = get('base') === 'none' ? undefined : get('base') || older;
  const path = number ? `/datasets/${encodeURIComponent(name)}/profile?snapshot=${number}${base ? `&base=${base}` : ''}` : null;
  const profile = useApi<Profile>(path, { keep: true });
  usePage([[t('Data', '데이터'), href('data')], [id]], { cli: base ? `maru data compare ${name}@${base} ${name}@${number}` : `maru data profile ${name}`, curl: curl(path ?? `/datasets/${name}`) });
  return <Loaded query={dataset}>{(d) => (d.snapshots.length ? <Loaded query={profile}>{(p) => <DatasetPage d={d} p={p} />}</Loaded> : <div className="page"><h1>{name}</h1><p className="t3">{t('No snapshot yet.', '아직 스냅샷이 없습니다.')}</p></div>)}</Loaded>;
}

const toneOf = (s: string): Status => (s === 'error' ? 'bad' : s === 'warning' ? 'warn' : 'ok');

function DatasetPage({ d, p }: { d: Schemas['Dataset']; p: Profile }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [get, set] = useView(); const tab = get('tab', 'profile') as 'profile' | 'facts' | 'rules' | 'sensitive' | 'rows' | 'versions';
  const errors = p.anomalies.filter((a) => a.severity === 'error').length, warnings = p.anomalies.filter((a) => a.severity === 'warning').length;
  const snap = d.snapshots.find((s) => s.number === p.number) ?? d.snapshots[0];
  const check = useChange<Schemas['ValidateResult'], boolean>((accept) => ({ path: `/datasets/${encodeURIComponent(p.name)}/validate?snapshot=${p.number}`, method: 'POST', body: accept ? { accept: true } : {} }));
  return (
    <div className="page fill ds">
      <div className="ph">
        <div className="grow"><h1><span>{p.name}<span className="at">@{p.number}</span></span>{errors ? <Chip s="bad">{t(`${errors} rules are broken`, `규칙 ${errors}개 위반`)}</Chip> : warnings ? <Chip s="warn">{t(`${warnings} warnings`, `주의 ${warnings}건`)}</Chip> : <Chip s={p.schema ? 'ok' : 'plain'}>{p.schema ? t('all rules hold', '모든 규칙 통과') : t('no rule yet', '규칙 없음')}</Chip>}{p.drift?.drift && <A to={href('data', '-', 'compare') + `?old=${encodeURIComponent(`${p.name}@${p.base}`)}&new=${encodeURIComponent(`${p.name}@${p.number}`)}`}><Chip s="warn">{t(`drifts from @${p.base}`, `@${p.base} 대비 드리프트`)}</Chip></A>}</h1>
          <div className="meta"><span><b>{f.int(p.rows)}</b> {t('rows', '행')} · <b>{p.columns.length}</b> {t('columns', '열')} · <b>{f.bytes(snap.bytes)}</b></span>{p.base != null && <span>{t('compared with', '비교 대상')} <b>@{p.base}</b> ({f.int(p.drift?.rows_old)})</span>}<span title={f.iso(snap.created_us)}>{t('arrived', '도착')} <b>{f.ago(snap.created_us)}</b></span>{(p.duplicate_rows ?? 0) > 0 && <span>{t('duplicate rows', '중복 행')} <b>{f.int(p.duplicate_rows)}</b></span>}<code>{p.snapshot.slice(0, 12)}</code></div></div>
        <div className="acts">
          {d.snapshots.length > 1 && <label className="row fs12 t2">{t('compare with', '비교 대상')}<select className="input" style={{ width: 104 }} value={p.base ?? 'none'} onChange={(e) => set({ base: e.target.value })}><option value="none">{t('nothing', '없음')}</option>{d.snapshots.filter((s) => s.number !== p.number).map((s) => <option key={s.number} value={s.number}>@{s.number}</option>)}</select></label>}
          <button className="btn" disabled={check.isPending} onClick={() => check.mutate(false)}><Check size={14} />{t('Check the rules', '규칙 검사')}</button>
        </div>
      </div>
      {check.error && <ErrorNote error={check.error} />}
      <Tabs label={p.name} value={tab} onChange={(v) => set({ tab: v === 'profile' ? null : v })} items={[['profile', t('Profile', '프로파일')], ['facts', t('Together', '함께 보기')], ['rules', <span key="r">{t('Rules', '규칙')} {p.anomalies.length > 0 && <span className={'badge ' + (errors ? 'bad' : 'warn')}>{p.anomalies.length}</span>}</span>], ['sensitive', t('Sensitive', '민감 정보')], ['rows', t('Rows', '행')], ['versions', t('Versions', '버전')]]} />
      {tab === 'facts' ? <DatasetFacts p={p} /> : tab === 'rules' ? <DatasetRules p={p} accept={() => check.mutate(true)} busy={check.isPending} /> : tab === 'sensitive' ? <DatasetSensitive name={p.name} number={p.number} /> : tab === 'rows' ? <DatasetRows name={p.name} number={p.number} /> : tab === 'versions' ? <DatasetVersions d={d} /> : <ProfileTab p={p} />}
    </div>
  );
}

function ProfileTab({ p }: { p: Profile }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView();
  const show = get('show', 'all') as 'all' | 'bad' | 'drift';
  const before = useMemo(() => new Map((p.base_columns ?? []).map((c) => [c.name, c])), [p]);
  const drift = useMemo(() => new Map((p.drift?.columns ?? []).map((c) => [c.name, c])), [p]);
  const worst = useMemo(() => { const m = new Map<string, Status>(); for (const a of p.anomalies) if (a.severity !== 'info' && m.get(a.column) !== 'bad') m.set(a.column, toneOf(a.severity)); return m; }, [p]);
  const spark = useMemo(() => new Map(p.columns.map((c) => [c.name, overlay(c, before.get(c.name))])), [p, before]);
  const rows = p.columns.filter((c) => show === 'all' || (show === 'bad' ? worst.has(c.name) : drift.get(c.name)?.drift));
  const first = p.columns.find((c) => drift.get(c.name)?.drift) ?? p.columns[0];
  const cur = p.columns.find((c) => c.name === get('col')) ?? first;
  const tone = (c: Column): Status | undefined => worst.get(c.name) ?? (drift.get(c.name)?.drift ? 'warn' : undefined);
  const cols: Col<Column>[] = [
    { id: 'name', head: t('Column', '열'), w: 'minmax(150px, 1fr)', cell: (r) => <span className="row" style={{ gap: 7 }}><span style={{ width: 14, display: 'grid' }}>{tone(r) && <StatusIcon s={tone(r)!} size={13} />}</span><span className="m trunc">{r.name}</span></span>, sort: (r) => r.name },
    { id: 'type', head: t('Type', '형'), w: '74px', cell: (r) => <code className="t3">{r.type}</code>, sort: (r) => r.type },
    { id: 'h', head: p.base != null ? t(`@${p.base} line · @${p.number} fill`, `@${p.base} 선 · @${p.number} 채움`) : t('Distribution', '분포'), w: '132px', cell: (r) => { const o = spark.get(r.name); return o ? <SparkHist old={o.h[0]} cur={o.h[1]} /> : null; } },
    { id: 'miss', head: t('Missing', '결측'), w: '74px', r: true, cell: (r) => { const b = before.get(r.name); const m = missingShare(r); return <span className={b && Math.abs(m - missingShare(b)) > 0.05 ? 'bad m' : m ? '' : 't3'}>{f.pct(m)}</span>; }, sort: missingShare },
    { id: 'u', head: t('Unique', '고유값'), w: '66px', r: true, cell: (r) => f.int(r.distinct), sort: (r) => r.distinct },
    { id: 'med', head: t('Median / top', '중앙값·최빈'), w: '92px', r: true, cell: (r) => <span className="trunc">{f.sig(median(r))}</span> },
    { id: 'js', head: t('Drift', '드리프트'), w: '106px', r: true, cell: (r) => { const x = drift.get(r.name); if (!x) return <span className="t3">–</span>; return <span className="row" style={{ justifyContent: 'flex-end', gap: 7 }} title={x.reason}><span className="bar" style={{ width: 40 }}><i style={{ width: Math.min(100, x.score * 100) + '%', background: x.drift ? 'var(--warn-fill)' : 'var(--idle-fill)' }} /></span><span style={{ width: 42 }}>{f.fix(x.score)}</span></span>; }, sort: (r) => drift.get(r.name)?.score ?? null },
  ];
  const o = cur ? spark.get(cur.name) : null; const old = cur ? before.get(cur.name) : undefined; const dr = cur ? drift.get(cur.name) : undefined;
  const mean = (c?: Column): [number | null, number | null] => { const m = num(c?.mean); const e = o?.edges; return [m != null && e && m >= e[0] && m < e[e.length - 1] ? m : null, null]; };
  const found = p.anomalies.filter((a) => a.column === cur?.name); const culprits = p.drift?.culprits.filter((c) => c.column === cur?.name) ?? [];
  return (
    <div className="ds-split">
      <Panel className="ds-list" title={t('Columns', '열')} hint={t(`${rows.length} of ${p.columns.length}`, `${p.columns.length}개 중 ${rows.length}개`)} right={<Seg label={t('Show', '보기')} value={show} onChange={(v) => set({ show: v === 'all' ? null : v })} options={[['all', t('All', '전체')], ['bad', t('Anomalies', '이상')], ['drift', t('Drifting', '드리프트')]]} />} flush>
        <DataGrid rows={rows} cols={cols} label={t('Columns', '열')} id={(r) => r.name} rowH={38} cur={cur?.name} onCur={(k) => set({ col: k })} />
      </Panel>
      {cur && <div className="ds-side">
        <Panel title={<span className="row"><span className="mono">{cur.name}</span>{tone(cur) && <Chip s={tone(cur)!}>{worst.get(cur.name) === 'bad' ? t('breaks a rule', '규칙 위반') : t('drift', '드리프트')}</Chip>}</span>} right={<div className="legend">{p.base != null && <span><i className="sw" style={{ background: 'var(--old)' }} />@{p.base}</span>}<span><i className="sw box" style={{ background: 'var(--new)', opacity: .5 }} />@{p.number}</span>{o?.edges && <span className="t3">▾ {t('mean', '평균')}</span>}</div>}>
          {o ? <HistOverlay edges={o.edges} cats={o.cats} h={o.h} height={168} marks={o.edges ? { old: mean(old), cur: mean(cur) } : undefined} /> : <p className="t3">{t('No value to draw.', '그릴 값이 없습니다.')}</p>}
          <dl className="kv num" style={{ gridTemplateColumns: 'repeat(2, max-content minmax(0, 1fr))', marginTop: 10 }}>
            {num(cur.mean) != null ? <><dt>{t('mean ± sd', '평균 ± 표준편차')}</dt><dd>{f.sig(num(cur.mean), 4)} ± {f.sig(num(cur.std), 3)}</dd><dt>{t('range', '범위')}</dt><dd>{f.sig(cur.min, 4)} … {f.sig(cur.max, 4)}</dd><dt>{t('skewness', '왜도')}</dt><dd>{f.sig(num(cur.skewness))}</dd><dt>{t('5% / 95%', '5% / 95%')}</dt><dd>{f.sig(cur.quantiles['0.05'])} / {f.sig(cur.quantiles['0.95'])}</dd></> : <><dt>{t('most frequent', '최빈값')}</dt><dd>{f.sig(cur.top[0]?.value)}</dd><dt>{t('values', '값')}</dt><dd>{f.int(cur.distinct)}</dd></>}
          </dl>
        </Panel>
        {dr && Object.keys(dr.questions).length > 0 && <FiveQuestions column={cur.name} drift={dr} from={p.base!} to={p.number} />}
        {found.map((a, i) => <div key={i} className={'note n-' + toneOf(a.severity)}><StatusIcon s={toneOf(a.severity)} size={15} /><div className="grow col" style={{ gap: 4 }}><div className="b">{anomalyText(t, a)}</div>{a.slice && <div className="fs12"><span className="t2">{t('Where', '어디')}: </span><code>{a.slice}</code></div>}{a.rows > 0 && <div className="fs12 t2">{t(`${f.int(a.rows)} rows`, `${f.int(a.rows)}행`)}</div>}{a.fix && <div className="fs12 t2">{anomalyFix(t, a)}</div>}</div></div>)}
        {culprits.map((c, i) => <div key={'c' + i} className="note n-warn"><StatusIcon s="warn" size={15} /><div className="grow col" style={{ gap: 4 }}><div className="b">{culpritText(t, f, c)}</div>{c.slice && <div className="fs12"><span className="t2">{t('Where', '어디')}: </span><code>{c.slice}</code></div>}{num(c.share) != null && <div className="fs12 t2">{t('share of the change', '변화 중 비중')} {f.pct(c.share)}</div>}</div></div>)}
        {!found.length && !culprits.length && <div className={'note' + (dr?.drift ? ' n-warn' : '')}><StatusIcon s={dr?.drift ? 'warn' : 'ok'} size={15} /><div className="t2">{dr?.drift ? driftReason(t, f, dr) : t('Nothing unusual in this column.', '이 열에는 특이 사항이 없습니다.')}</div></div>}
      </div>}
    </div>
  );
}
