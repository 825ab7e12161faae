import { Download } from 'lucide-react';
import { HistOverlay } from '../charts/HistOverlay';
import { num, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { culpritText, driftReason } from '../lib/say';
import { useFmt, usePrefs, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';
import { StatusIcon } from '../ui/StatusIcon';
import { FiveQuestions } from './FiveQuestions';

type Report = Schemas['DriftReport']; type Column = Schemas['DriftColumn'];
const RULES = ['maru', 'evidently', 'tfdv', 'profiles'] as const;

/** Two snapshots side by side: verdicts, what is behind them, and the five questions of the chosen column. */
export function CompareData() {
  const t = useT(); const href = useHref(); const project = useProject(); const { lang } = usePrefs(); const [get, set] = useView();
  const before = get('old'), after = get('new'), rule = get('rule', 'maru');
  const query = before && after ? `old=${encodeURIComponent(before)}&new=${encodeURIComponent(after)}&rule=${rule}` : '';
  const report = useApi<Report>(query ? `/compare?${query}` : null, { keep: true });
  const list = useApi<Schemas['DatasetList']>('/datasets');
  usePage([[t('Data', '데이터'), href('data')], [t('Compare', '비교')]], { cli: `maru data compare ${before || 'OLD'} ${after || 'NEW'}${rule === 'profiles' ? ' --profiles' : rule !== 'maru' ? ' --rule ' + rule : ''}`, curl: curl(`/compare?${query}`) });
  const names = (list.data?.datasets ?? []).flatMap((d) => Array.from({ length: d.number ?? 0 }, (_, i) => `${d.name}@${(d.number ?? 0) - i}`));
  const pick = (key: string, value: string, label: string) => <label className="row fs12 t2" style={{ whiteSpace: 'nowrap' }}>{label}<select className="input" style={{ maxWidth: 200 }} value={value} onChange={(e) => set({ [key]: e.target.value, col: null })}><option value="" />{!names.includes(value) && value && <option>{value}</option>}{names.map((n) => <option key={n}>{n}</option>)}</select></label>;
  return (
    <div className="page fill ds">
      <div className="ph">
        <div className="grow"><h1><span>{t('What changed', '무엇이 달라졌나')}</span>{report.data && (report.data.drift ? <Chip s="warn">{t('drift', '드리프트')}</Chip> : <Chip s="ok">{t('no drift', '드리프트 없음')}</Chip>)}</h1>{report.data && <Meta r={report.data} />}</div>
        <div className="acts" style={{ flexWrap: 'wrap' }}>
          {pick('old', before, t('old', '기존'))}{pick('new', after, t('new', '새'))}
          <Seg label={t('Rule', '규칙')} value={rule as (typeof RULES)[number]} onChange={(v) => set({ rule: v === 'maru' ? null : v })} options={[['maru', 'Maru'], ['evidently', 'Evidently'], ['tfdv', 'TFDV'], ['profiles', t('profiles only', '프로파일만')]]} />
          {query && <a className="btn" download="compare.html" href={`/api/v1/compare?${query}&format=html&language=${lang}&project=${encodeURIComponent(project)}`}><Download size={14} />HTML</a>}
        </div>
      </div>
      {query ? <Loaded query={report}>{(r) => <Body r={r} />}</Loaded> : <Empty title={t('Choose two snapshots', '스냅샷 두 개를 고르세요')} text={t('An older one and a newer one, of one dataset or of two.', '기존 것과 새 것을 고릅니다. 같은 데이터셋이 아니어도 됩니다.')} command="maru data compare sales@1 sales@2" />}
    </div>
  );
}

function Meta({ r }: { r: Report }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const n = r.columns.filter((c) => c.drift).length; const g = r.together;
  const at = (name?: string) => <A className="link m" to={href('data', name ?? '')}>{name}</A>;
  return <div className="meta"><span>{at(r.old)} ({f.int(r.rows_old)} {t('rows', '행')}) → {at(r.new)} ({f.int(r.rows_new)} {t('rows', '행')})</span><span><b>{n}</b> / {r.columns.length} {t('columns drift', '개 열 드리프트')}</span>{g && <span title={g.importances.map((x) => x.column).join(', ')}>{t('all together: AUC', '모두 함께: AUC')} <b className={g.drift ? 'warn' : ''}>{f.fix(g.auc, 3)}</b> ({t('limit', '기준')} {f.fix(g.limit, 3)})</span>}</div>;
}

function Body({ r }: { r: Report }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView();
  const show = get('show', 'all') as 'all' | 'drift'; const rows = r.columns.filter((c) => show === 'all' || c.drift);
  const cur = r.columns.find((c) => c.name === get('col')) ?? r.columns[0];
  const cols: Col<Column>[] = [
    { id: 'name', head: t('Column', '열'), w: 'minmax(140px, 1fr)', cell: (c) => <span className="row" style={{ gap: 7 }}><StatusIcon s={c.drift ? 'warn' : 'ok'} size={13} /><span className="m trunc">{c.name}</span></span>, sort: (c) => c.name },
    { id: 'score', head: t('Drift', '드리프트'), w: '120px', r: true, cell: (c) => <span className="row" style={{ justifyContent: 'flex-end', gap: 7 }}><span className="bar" style={{ width: 48 }}><i style={{ width: Math.min(100, c.score * 100) + '%', background: c.drift ? 'var(--warn-fill)' : 'var(--idle-fill)' }} /></span><span style={{ width: 46 }}>{f.fix(c.score, 3)}</span></span>, sort: (c) => c.score },
    { id: 'why', head: t('Why', '이유'), w: 'minmax(160px, 2fr)', cell: (c) => <span className="trunc t2" title={c.reason}>{driftReason(t, f, c)}</span> },
  ];
  return (
    <>
      {r.culprits.length > 0 && <Panel flush title={t('What is behind it', '원인')} hint={t('by the share of the change it explains', '설명하는 변화의 비중 순')}><div className="col" style={{ gap: 0 }}>{r.culprits.map((c, i) => <button key={i} className="row culprit" style={{ gap: 10, padding: '8px 14px', textAlign: 'left', alignItems: 'flex-start' }} onClick={() => set({ col: c.column })}><span className="num m" style={{ width: 46, textAlign: 'right', flex: 'none' }}>{f.pct(num(c.share) ?? 0, 0)}</span><span className="grow" style={{ minWidth: 0, overflowWrap: 'anywhere' }}>{culpritText(t, f, c)}</span></button>)}</div></Panel>}
      <div className="ds-split">
        <Panel className="ds-list" title={t('Columns', '열')} hint={t(`${rows.length} of ${r.columns.length}`, `${r.columns.length}개 중 ${rows.length}개`)} right={<Seg label={t('Show', '보기')} value={show} onChange={(v) => set({ show: v === 'all' ? null : v })} options={[['all', t('All', '전체')], ['drift', t('Drifting', '드리프트')]]} />} flush>
          <DataGrid rows={rows} cols={cols} label={t('Columns', '열')} id={(c) => c.name} rowH={36} cur={cur?.name} onCur={(k) => set({ col: k })} />
        </Panel>
        {cur && <div className="ds-side"><Detail c={cur} r={r} /></div>}
      </div>
    </>
  );
}

function Detail({ c, r }: { c: Column; r: Report }) {
  const t = useT(); const f = useFmt(); const p = c.picture; const at = (key: 'old' | 'new') => num(c.questions.centre?.[key]) ?? null;
  const inside = (v: number | null) => (v != null && p?.edges && v >= p.edges[0] && v < p.edges[p.edges.length - 1] ? v : null);
  const numbers = Object.entries(c.measures).filter((e): e is [string, number] => typeof e[1] === 'number');
  return (
    <>
      <Panel title={<span className="row"><span className="mono">{c.name}</span>{c.drift && <Chip s="warn">{t('drift', '드리프트')}</Chip>}</span>} right={<div className="legend"><span><i className="sw" style={{ background: 'var(--old)' }} />{r.old}</span><span><i className="sw box" style={{ background: 'var(--new)', opacity: .5 }} />{r.new}</span></div>}>
        {p && p.old.length > 0 ? <HistOverlay edges={p.edges} cats={p.values} h={[p.old, p.new]} height={180} marks={p.edges ? { old: [inside(at('old')), null], cur: [inside(at('new')), null] } : undefined} /> : <p className="t3">{t('No value to draw.', '그릴 값이 없습니다.')}</p>}
        <p className="t2 fs12" style={{ margin: '8px 0 0' }}>{driftReason(t, f, c)}</p>
      </Panel>
      {Object.keys(c.questions).length > 0 && <FiveQuestions column={c.name} drift={c} from={r.old ?? ''} to={r.new ?? ''} />}
      <Panel title={t('Measures', '측정값')} hint={t('each under its own convention', '각각의 정의를 따름')}><dl className="kv num" style={{ gridTemplateColumns: 'repeat(auto-fit, minmax(210px, 1fr))', display: 'grid', gap: '2px 16px' }}>{numbers.map(([k, v]) => <div key={k} className="row" style={{ justifyContent: 'space-between' }}><dt className="trunc" title={k}>{k}</dt><dd>{f.sig(v, 4)}</dd></div>)}</dl></Panel>
    </>
  );
}
