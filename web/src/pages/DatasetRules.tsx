import { Sparkles } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { anomalyFix, anomalyText } from '../lib/say';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';

/** Violations first, then the schema that is checked. */
export function DatasetRules({ p, accept, busy }: { p: Schemas['Profile']; accept(): void; busy: boolean }) {
  const t = useT(); const f = useFmt();
  const path = `/datasets/${encodeURIComponent(p.name)}`;
  const suggest = useChange<Schemas['SuggestResult'], boolean>(() => ({ path: `${path}/suggest?snapshot=${p.number}`, method: 'POST', body: { accept: true } }));
  const apart = useChange<Schemas['QuarantineResult'], boolean>(() => ({ path: `${path}/quarantine?snapshot=${p.number}`, method: 'POST', body: {} }));
  const rules = p.schema?.expectations ?? [];
  return (
    <div className="col" style={{ gap: 14, paddingBottom: 16 }}>
      {(suggest.error ?? apart.error) && <ErrorNote error={(suggest.error ?? apart.error)!} />}
      {p.anomalies.length > 0 && <Panel title={t('Broken rules', '어긋난 규칙')} right={<span className="row">{rules.length > 0 && <button className="btn sm" disabled={apart.isPending} onClick={() => apart.mutate(true)}>{t('Set the rows apart', '행 격리')}</button>}<button className="btn sm" disabled={busy} onClick={accept}>{t('Accept all into the schema', '모두 스키마에 반영')}</button></span>} flush>
        <ul className="list">{p.anomalies.map((a, i) => <li key={i} style={{ alignItems: 'flex-start' }}><StatusIcon s={a.severity === 'error' ? 'bad' : a.severity === 'warning' ? 'warn' : 'ok'} /><div className="grow col" style={{ gap: 2 }}><div><code>{a.column}</code> {anomalyText(t, a)}</div><div className="t3 fs12">{[a.trace || a.slice, a.rows > 0 ? t(`${f.int(a.rows)} rows`, `${f.int(a.rows)}행`) : '', anomalyFix(t, a)].filter(Boolean).join(' · ')}</div></div><code className="t3 fs12">{a.kind}</code></li>)}</ul>
      </Panel>}
      <Panel title={t('Expectations', '기대 조건')} hint={p.schema ? t(`version ${p.schema.version ?? 1}`, `버전 ${p.schema.version ?? 1}`) : undefined} right={<button className="btn sm" disabled={suggest.isPending} onClick={() => suggest.mutate(true)}><Sparkles size={13} />{t('Suggest from the data', '데이터에서 제안')}</button>} flush>
        {rules.length === 0 ? <Empty title={t('No expectation yet', '아직 기대 조건이 없습니다')} text={t('The data can suggest some, each with how sure it is.', '데이터가 확신도와 함께 제안할 수 있습니다.')} command={`maru schema suggest ${p.name} --accept`} />
          : <div className="tscroll tall" tabIndex={0}><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Expectation', '조건')}</th><th>{t('Value', '값')}</th><th className="r">{t('At least', '최소 비율')}</th><th className="r">{t('Sure', '확신도')}</th></tr></thead><tbody>{rules.map((r, i) => <tr key={i}><td className="m">{r.column || r.columns.join(', ')}</td><td><code>{r.kind}</code>{r.where && <span className="t3 fs12"> {r.where}</span>}</td><td className="t2 trunc" style={{ maxWidth: 320 }} title={r.description}>{r.value ? JSON.stringify(r.value) : ''}</td><td className="r">{f.pct(r.mostly)}</td><td className="r">{r.confidence > 0 ? f.pct(r.confidence) : t('by hand', '직접')}</td></tr>)}</tbody></table></div>}
      </Panel>
      <Panel title={t('Schema', '스키마')} hint={p.schema ? (p.schema.allow_new_columns ? t('new columns are allowed', '새 열 허용') : t('new columns are refused', '새 열 거부')) : undefined} flush>
        {!p.schema ? <Empty title={t('No schema yet', '아직 스키마가 없습니다')} text={t('It is inferred from the data and then checked on every new snapshot.', '데이터에서 추론하며, 이후 새 스냅샷마다 검사합니다.')} command={`maru data validate ${p.name}`} />
          : <div className="tscroll tall" tabIndex={0}><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Type', '형')}</th><th>{t('Required', '필수')}</th><th className="r">{t('Missing at most', '결측 상한')}</th><th>{t('Range or values', '범위·값')}</th></tr></thead><tbody>{p.schema.columns.map((c) => <tr key={c.name}><td className="m">{c.name}</td><td><code>{c.type}</code></td><td>{c.required ? t('yes', '예') : t('no', '아니요')}{c.unique && <> <Chip s="plain">{t('unique', '고유')}</Chip></>}</td><td className="r">{f.pct(c.missing_max)}</td><td className="t2">{c.domain.length ? c.domain.slice(0, 8).map(String).join(', ') + (c.domain.length > 8 ? t(` and ${c.domain.length - 8} more`, ` 외 ${c.domain.length - 8}개`) : '') : c.min != null || c.max != null ? `${f.sig(c.min)} … ${f.sig(c.max)}` : '–'}</td></tr>)}</tbody></table></div>}
      </Panel>
    </div>
  );
}
