import { History } from 'lucide-react';
import { useState } from 'react';
import { num, type Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { ErrorNote } from '../ui/ErrorNote';
import { Modal } from '../ui/Modal';

type Answer = { prediction?: unknown; score?: number | null };

/** Asks logged predictions again of a version; counts in no statistics and is not logged. */
export function ReplayDialog({ endpoint, model, ids, close }: { endpoint: string; model: string; ids: string[]; close(): void }) {
  const t = useT(); const f = useFmt(); const versions = useApi<Schemas['Model']>(`/models/${encodeURIComponent(model)}`).data?.versions ?? [];
  const [version, setVersion] = useState(''); const [last, setLast] = useState(100);
  const act = useChange<Schemas['Replay']>(() => ({ path: `/endpoints/${encodeURIComponent(endpoint)}/replay`, method: 'POST', body: { ...(version ? { version } : {}), ...(ids.length ? { ids } : { last }) } }), { dry: true });
  const told = (x: unknown) => { const a = x as Answer | null; if (!a) return '–'; if (a.prediction === undefined && a.score === undefined) return JSON.stringify(a); return [a.prediction, a.score == null ? null : f.fix(a.score, 4)].filter((v) => v != null).join(' '); };
  const title = t('Ask again', '다시 물어보기'); const r = act.data;
  const notes = r ? ([[r.inputs.missing, t('not in the log, given as missing', '기록에 없어 결측으로 넣음')], [r.inputs.unused, t('logged, not taken by this version', '기록되었지만 이 버전은 쓰지 않음')], [r.inputs.retyped, t('of another type now, given as missing', '형이 달라 결측으로 넣음')]] as [string[], string][]).filter(([names]) => names.length) : [];
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={title}>
      <form style={{ padding: 20, display: 'grid', gap: 14 }} data-testid="replay-form" onSubmit={(e) => { e.preventDefault(); act.mutate(); }}>
        <h2 style={{ fontSize: 16 }}>{ids.length ? t('Ask this request again', '이 요청을 다시 물어보기') : t('Ask logged requests again', '기록된 요청을 다시 물어보기')}</h2>
        <div className="row wrap">
          <div className="field"><label htmlFor="r-version">{t('Of version', '버전')}</label><select id="r-version" className="input" value={version} onChange={(e) => setVersion(e.target.value)}><option value="">{t('that serves now', '지금 서빙 중')}</option>{versions.map((v) => <option key={v.version} value={v.version}>v{v.version}</option>)}</select></div>
          {!ids.length && <div className="field"><label htmlFor="r-last">{t('Newest rows', '최근 행 수')}</label><input id="r-last" className="input num" type="number" min={1} max={10000} value={last} onChange={(e) => setLast(Number(e.target.value) || 1)} /></div>}
        </div>
        <div className="code" tabIndex={0}>maru endpoint replay {endpoint}{version && ` --version ${version}`}{ids.length ? ids.map((i) => ` --id ${i}`).join('') : ` --last ${last}`}</div>
        {act.error && <ErrorNote error={act.error} />}
        {r && <div className="col" style={{ gap: 10 }} data-testid="replay-report">
          <div className="row wrap"><Chip s={r.different ? 'warn' : 'ok'}>{r.different ? t(`${f.int(r.different)} of ${f.int(r.rows)} differ`, `${f.int(r.rows)}건 중 ${f.int(r.different)}건 다름`) : t(`none of ${f.int(r.rows)} differs`, `${f.int(r.rows)}건 모두 같음`)}</Chip><span className="t2">{t(`v${r.version}; ${f.int(r.same_bits)} the same to the last bit, ${f.int(r.other_class)} another class, ${f.int(r.failed)} failed`, `v${r.version}; 마지막 비트까지 같음 ${f.int(r.same_bits)}건, 다른 클래스 ${f.int(r.other_class)}건, 실패 ${f.int(r.failed)}건`)}</span></div>
          {r.rows > 0 && <p className="t3 fs12">{t(`largest difference ${f.sig(r.largest_difference)}, mean ${f.sig(r.mean_difference)}`, `가장 큰 차이 ${f.sig(r.largest_difference)}, 평균 ${f.sig(r.mean_difference)}`)}</p>}
          {notes.map(([names, why]) => <p key={why} className="warn fs12">{names.join(', ')}: {why}</p>)}
          {r.differences.length > 0 && <div className="tscroll tall" tabIndex={0} style={{ maxHeight: 260 }}><table className="tb fs12"><thead><tr><th>{t('Id', '식별자')}</th><th className="r">{t('By', '답한 버전')}</th><th>{t('Logged', '기록')}</th><th>{t('Now', '지금')}</th><th className="r">{t('Difference', '차이')}</th></tr></thead><tbody>{r.differences.map((d) => <tr key={d.id}><td><code className="t3 fs11">{d.id.slice(0, 13)}…</code></td><td className="r">v{d.version}</td><td className="trunc" style={{ maxWidth: 160 }}>{told(d.logged)}</td><td className="trunc" style={{ maxWidth: 160 }}>{d.error ?? told(d.now)}</td><td className="r">{d.difference == null ? '–' : f.sig(num(d.difference)!)}</td></tr>)}</tbody></table></div>}
        </div>}
        <div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={close}>{t('Close', '닫기')}</button><button className="btn primary" disabled={act.isPending}><History size={13} />{t('Ask again', '다시 물어보기')}</button></div>
      </form>
    </Modal>
  );
}
