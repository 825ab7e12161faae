import { useMemo } from 'react';
import type { Schemas } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';

type Profile = Schemas['Profile'];
type Pair = NonNullable<Profile['associations']>[number];

const most = 24; // columns of the map: more cannot be told apart
const strength = (p: Pair) => (p.measure === 'eta_squared' ? Math.sqrt(Math.max(0, p.value)) : Math.abs(p.value));
const drawn = new Set(['pearson', 'cramers_v_corrected', 'eta_squared']);
const names: Record<string, [string, string]> = {
  pearson: ['Pearson', '피어슨'], spearman: ['Spearman', '스피어만'], cramers_v: ['Cramér’s V', '크라메르 V'], cramers_v_corrected: ['Cramér’s V, corrected', '크라메르 V(보정)'],
  eta_squared: ['η²', 'η²'], mutual_information: ['mutual information', '상호 정보량'],
};

/** What one column alone does not tell: which go together, which are missing together, rows that stand alone. */
export function DatasetFacts({ p }: { p: Profile }) {
  const t = useT(); const f = useFmt();
  const pairs = useMemo(() => (p.associations ?? []).filter((x) => drawn.has(x.measure)), [p]);
  const best = useMemo(() => { const m = new Map<string, Pair>(); for (const x of pairs) for (const k of [`${x.a}\n${x.b}`, `${x.b}\n${x.a}`]) { const o = m.get(k); if (!o || strength(x) > strength(o)) m.set(k, x); } return m; }, [pairs]);
  const cols = useMemo(() => { const seen = new Set(pairs.flatMap((x) => [x.a, x.b])); return p.columns.map((c) => c.name).filter((n) => seen.has(n)).slice(0, most); }, [p, pairs]);
  const title = (a: string, b: string) => { const x = best.get(`${a}\n${b}`); return x ? `${a} · ${b}: ${t(...(names[x.measure] ?? [x.measure, x.measure]))} ${f.fix(x.value)}` : `${a} · ${b}`; };
  const missing = p.missing_together ?? [], alone = p.outliers ?? [], equal = p.equal_columns ?? [], keys = p.candidate_keys ?? [];
  const strongest = [...pairs].sort((a, b) => strength(b) - strength(a)).slice(0, 12);
  return (
    <div className="col" style={{ gap: 14, paddingBottom: 16 }}>
      {(keys.length > 0 || equal.length > 0) && <Panel title={t('Keys and copies', '키와 복사본')}>
        <dl className="kv">{keys.length > 0 && <><dt>{t('could be the key', '키 후보')}</dt><dd className="mono">{keys.join(', ')}</dd></>}{equal.map((g) => <div key={g.join()} style={{ display: 'contents' }}><dt>{t('the same in every row', '모든 행이 같음')}</dt><dd className="mono">{g.join(', ')}</dd></div>)}</dl>
      </Panel>}
      <Panel title={t('What goes together', '함께 움직이는 열')} hint={t(`of ${f.int(p.sample_rows ?? 0)} rows`, `${f.int(p.sample_rows ?? 0)}행 기준`)} flush>
        {cols.length < 2 ? <Empty title={t('No two columns to compare', '비교할 열이 없습니다')} text={t('Profile the snapshot again when it has more columns.', '열이 더 있는 스냅샷에서 확인하세요.')} /> : <div className="tscroll" tabIndex={0} style={{ padding: 12 }}>
          <table aria-label={t('Association of each pair', '각 쌍의 연관도')} style={{ borderSpacing: 1, borderCollapse: 'separate' }}><tbody>{cols.map((a) => <tr key={a}><th className="mono fs12 t2" style={{ textAlign: 'right', fontWeight: 400, paddingRight: 8, whiteSpace: 'nowrap' }}>{a}</th>{cols.map((b) => { const x = best.get(`${a}\n${b}`); const v = a === b ? 1 : x ? strength(x) : 0; return <td key={b} title={title(a, b)} style={{ width: 18, height: 18, padding: 0, background: `color-mix(in srgb, var(--new) ${Math.round(v * 100)}%, transparent)` }} />; })}</tr>)}</tbody></table>
        </div>}
        {strongest.length > 0 && <ul className="list">{strongest.map((x) => <li key={x.a + x.b + x.measure}><code className="grow">{x.a} · {x.b}</code><span className="t2 fs12">{t(...(names[x.measure] ?? [x.measure, x.measure]))}</span><b className="num">{f.fix(x.value)}</b></li>)}</ul>}
      </Panel>
      <Panel title={t('Missing together', '함께 비는 열')} hint={t(`${f.int(p.rows_with_missing ?? 0)} rows miss something`, `${f.int(p.rows_with_missing ?? 0)}행에 결측`)} flush>
        {missing.length === 0 ? <p className="t3" style={{ padding: 12 }}>{t('Nothing is missing.', '결측이 없습니다.')}</p>
          : <ul className="list">{missing.slice(0, 12).map((m) => <li key={m.columns.join()}><span className="bar" style={{ width: 90 }}><i style={{ width: `${Math.max(1, (100 * m.rows) / Math.max(1, p.rows))}%`, background: 'var(--warn-fill)' }} /></span><code className="grow">{m.columns.join(', ')}</code><span className="num">{t(`${f.int(m.rows)} rows`, `${f.int(m.rows)}행`)}</span></li>)}</ul>}
      </Panel>
      <Panel title={t('Rows that stand alone', '동떨어진 행')} hint={t('isolation forest: 0.5 is ordinary', '격리 숲: 0.5가 보통')} flush>
        {alone.length === 0 ? <p className="t3" style={{ padding: 12 }}>{t('No row stands far from all others.', '다른 행과 크게 다른 행이 없습니다.')}</p>
          : <ul className="list">{alone.slice(0, 12).map((r) => <li key={r.row}><span className="grow">{t(`row ${f.int(r.row + 1)}`, `${f.int(r.row + 1)}행`)} · {t('furthest out in', '가장 벗어난 열')} <code>{r.column}</code></span><b className="num">{f.fix(r.score)}</b></li>)}</ul>}
      </Panel>
    </div>
  );
}
