import { useState } from 'react';
import { ShieldCheck } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { sensitiveAction, sensitiveKind } from '../lib/say';
import { useHref } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';

const ACTIONS = ['drop', 'mask', 'hash', 'token', 'generalise'] as const;
type Report = Schemas['SensitiveReport'];

/** What of a snapshot is about persons, and the copy that is not. */
export function DatasetSensitive({ name, number }: { name: string; number: number }) {
  const report = useApi<Report>(`/datasets/${encodeURIComponent(name)}/sensitive?snapshot=${number}`);
  return <Loaded query={report}>{(r) => <Findings r={r} />}</Loaded>;
}

function Findings({ r }: { r: Report }) {
  const t = useT(); const f = useFmt(); const href = useHref();
  // The surest finding of each column says what is proposed.
  const first = r.findings.filter((x, i) => r.findings.findIndex((y) => y.column === x.column) === i);
  const [chosen, choose] = useState<Record<string, string>>({});
  const columns = Object.fromEntries(first.map((x) => [x.column, chosen[x.column] ?? (x.inside > x.matched ? 'mask' : x.action)]).filter(([, how]) => how !== 'keep'));
  const protect = useChange<Schemas['ProtectResult'], object>((body) => ({ path: `/datasets/${encodeURIComponent(r.name)}/protect?snapshot=${r.number}`, method: 'POST', body }));
  if (r.findings.length === 0)
    return <Panel title={t('Sensitive values', '민감 정보')}><Empty title={t('Nothing sensitive was found', '민감 정보가 발견되지 않았습니다')} text={t(`All ${f.int(r.rows)} rows were looked at.`, `${f.int(r.rows)}행을 모두 살펴보았습니다.`)} /></Panel>;
  return (
    <div className="col" style={{ gap: 14, paddingBottom: 16 }}>
      {protect.error && <ErrorNote error={protect.error} />}
      {protect.data && <div className="note n-ok" role="status"><StatusIcon s="ok" size={15} /><div>{t('The protected copy is', '보호된 사본:')} <A to={href('data', protect.data.dataset)}>{protect.data.dataset}@{protect.data.number}</A> · {t(`${f.int(protect.data.rows)} rows`, `${f.int(protect.data.rows)}행`)}</div></div>}
      <Panel title={t('Sensitive values', '민감 정보')} hint={t(`${first.length} columns of ${f.int(r.rows)} rows`, `${f.int(r.rows)}행 중 ${first.length}개 열`)} right={<button className="btn sm" disabled={protect.isPending || Object.keys(columns).length === 0} onClick={() => protect.mutate({ columns })}><ShieldCheck size={13} />{t('Make a protected copy', '보호된 사본 만들기')}</button>} flush>
        <div className="tscroll tall" tabIndex={0}><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Holds', '내용')}</th><th className="r">{t('Sure', '확신도')}</th><th className="r">{t('Cells', '셀')}</th><th>{t('Such as', '예시')}</th><th>{t('What to do', '조치')}</th></tr></thead>
          <tbody>{first.map((x) => (
            <tr key={x.column} title={x.reasons.join('\n')}>
              <td className="m">{x.column}</td><td>{sensitiveKind(t, x.kind)}{x.inside > x.matched && <span className="t3 fs12"> {t('within texts', '본문 속')}</span>}</td>
              <td className="r">{f.pct(x.confidence)}</td><td className="r">{f.int(x.matched + x.inside)}</td><td className="m t2 trunc" style={{ maxWidth: 240 }}>{x.examples[0] ?? '–'}</td>
              <td><select className="input" aria-label={t(`What to do with ${x.column}`, `${x.column} 조치`)} value={chosen[x.column] ?? columns[x.column]} onChange={(e) => choose({ ...chosen, [x.column]: e.target.value })}>
                {ACTIONS.map((a) => <option key={a} value={a}>{sensitiveAction(t, a)}</option>)}<option value="keep">{sensitiveAction(t, 'keep')}</option>
              </select></td>
            </tr>))}</tbody></table></div>
      </Panel>
    </div>
  );
}
