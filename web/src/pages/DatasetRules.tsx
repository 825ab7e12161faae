import type { Schemas } from '../api/client';
import { anomalyFix, anomalyText } from '../lib/say';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Empty } from '../ui/Empty';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';

/** Violations first, then the schema that is checked. */
export function DatasetRules({ p, accept, busy }: { p: Schemas['Profile']; accept(): void; busy: boolean }) {
  const t = useT(); const f = useFmt();
  return (
    <div className="col" style={{ gap: 14, paddingBottom: 16 }}>
      {p.anomalies.length > 0 && <Panel title={t('Broken rules', '어긋난 규칙')} right={<button className="btn sm" disabled={busy} onClick={accept}>{t('Accept all into the schema', '모두 스키마에 반영')}</button>} flush>
        <ul className="list">{p.anomalies.map((a, i) => <li key={i} style={{ alignItems: 'flex-start' }}><StatusIcon s={a.severity === 'error' ? 'bad' : a.severity === 'warning' ? 'warn' : 'ok'} /><div className="grow col" style={{ gap: 2 }}><div><code>{a.column}</code> {anomalyText(t, a)}</div><div className="t3 fs12">{[a.slice, a.rows > 0 ? t(`${f.int(a.rows)} rows`, `${f.int(a.rows)}행`) : '', anomalyFix(t, a)].filter(Boolean).join(' · ')}</div></div><code className="t3 fs12">{a.kind}</code></li>)}</ul>
      </Panel>}
      <Panel title={t('Schema', '스키마')} hint={p.schema ? (p.schema.allow_new_columns ? t('new columns are allowed', '새 열 허용') : t('new columns are refused', '새 열 거부')) : undefined} flush>
        {!p.schema ? <Empty title={t('No schema yet', '아직 스키마가 없습니다')} text={t('It is inferred from the data and then checked on every new snapshot.', '데이터에서 추론하며, 이후 새 스냅샷마다 검사합니다.')} command={`maru data validate ${p.name}`} />
          : <div className="tscroll tall" tabIndex={0}><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Type', '형')}</th><th>{t('Required', '필수')}</th><th className="r">{t('Missing at most', '결측 상한')}</th><th>{t('Range or values', '범위·값')}</th></tr></thead><tbody>{p.schema.columns.map((c) => <tr key={c.name}><td className="m">{c.name}</td><td><code>{c.type}</code></td><td>{c.required ? t('yes', '예') : t('no', '아니요')}{c.unique && <> <Chip s="plain">{t('unique', '고유')}</Chip></>}</td><td className="r">{f.pct(c.missing_max)}</td><td className="t2">{c.domain.length ? c.domain.slice(0, 8).map(String).join(', ') + (c.domain.length > 8 ? t(` and ${c.domain.length - 8} more`, ` 외 ${c.domain.length - 8}개`) : '') : c.min != null || c.max != null ? `${f.sig(c.min)} … ${f.sig(c.max)}` : '–'}</td></tr>)}</tbody></table></div>}
      </Panel>
    </div>
  );
}
