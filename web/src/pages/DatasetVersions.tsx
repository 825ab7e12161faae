import type { Schemas } from '../api/client';
import { useHref } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Panel } from '../ui/Panel';

export function DatasetVersions({ d }: { d: Schemas['Dataset'] }) {
  const t = useT(); const f = useFmt(); const href = useHref();
  return <Panel flush title={t('Versions', '버전')} right={<span className="t3 fs12">{d.total}</span>}><div className="tscroll" tabIndex={0}><table className="tb"><thead><tr><th>{t('Version', '버전')}</th><th>{t('Snapshot', '스냅샷')}</th><th className="r">{t('Rows', '행')}</th><th className="r">{t('Columns', '열')}</th><th className="r">{t('Size', '크기')}</th><th>{t('Source', '출처')}</th><th className="r">{t('Arrived', '도착')}</th></tr></thead><tbody>
    {d.snapshots.map((s) => <tr key={s.id}><td>{s.dropped ? <span className="t3 m" title={s.dropped}>@{s.number}</span> : <A className="link m" to={href('data', `${d.name}@${s.number}`)}>@{s.number}</A>}{(s.tags ?? []).map((tag) => <span key={tag} className="chip plain" style={{ marginLeft: 6 }}>{tag}</span>)}</td><td><code>{s.id.slice(0, 16)}</code></td><td className="r">{f.int(s.rows)}</td><td className="r">{s.columns.length}</td><td className="r">{f.bytes(s.bytes)}</td><td className="t2 trunc" style={{ maxWidth: 420 }} title={s.dropped || s.source || s.query}>{s.dropped ? t('gone by retention or erasure', '보존 정책 또는 삭제 요청으로 없음') : s.source || s.query}</td><td className="r t3" title={f.iso(s.created_us)}>{f.ago(s.created_us)}</td></tr>)}</tbody></table></div></Panel>;
}
