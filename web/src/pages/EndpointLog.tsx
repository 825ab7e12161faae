import { History, Search } from 'lucide-react';
import { useState } from 'react';
import { num, type Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useFmt, useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';
import { ReplayDialog } from './ReplayDialog';

type Row = Schemas['LogRow'];
const HEX = /^[0-9a-f]{32}(-\d+)?$/;

/** The newest logged predictions; one is found by its id or by the id of its trace, and asked again of any version. */
export function EndpointLog({ endpoint, model, log }: { endpoint: string; model: string; log: Schemas['LogCounts'] }) {
  const t = useT(); const f = useFmt(); const [typed, type] = useState(''); const [asked, ask] = useState(''); const [by, setBy] = useState<'id' | 'trace_id'>('id'); const [replay, setReplay] = useState<string[] | null>(null);
  const path = `/endpoints/${encodeURIComponent(endpoint)}/log`; const found = HEX.test(asked);
  const q = useApi<Schemas['LogRows']>(found ? `${path}?${by}=${encodeURIComponent(asked)}` : `${path}?limit=50`, { live: found ? undefined : 5000 });
  const split = (r: Row) => { const s = r.stages; return s ? (['parse', 'queue', 'features', 'model', 'post'] as const).filter((k) => num(s[`${k}_us`])).map((k) => `${k} ${f.us(num(s[`${k}_us`])!)}`).join(' · ') : ''; };
  const lost = [...Object.entries(log.shed_by ?? {}).filter(([, n]) => Number(n) > 0).map(([why, n]) => `${why} ${f.int(Number(n))}`), ...(log.not_sampled ? [t(`not sampled ${f.int(log.not_sampled)}`, `표본 제외 ${f.int(log.not_sampled)}`)] : [])].join(', ');
  return (
    <Panel title={t('Last requests', '최근 요청')} hint={lost || undefined} right={<button className="btn sm" onClick={() => setReplay([])}><History size={13} />{t('Replay', '다시 물어보기')}</button>} flush>
      <form className="row" style={{ padding: '0 14px 10px' }} onSubmit={(e) => { e.preventDefault(); ask(typed.trim()); }}>
        <select className="input" style={{ width: 'auto' }} aria-label={t('Find by', '찾을 기준')} value={by} onChange={(e) => setBy(e.target.value as typeof by)}><option value="id">{t('request id', '요청 식별자')}</option><option value="trace_id">{t('trace id', '추적 식별자')}</option></select>
        <input className="input mono grow" aria-label={t('Id', '식별자')} placeholder={t('32 hexadecimal digits', '16진수 32자리')} value={typed} onChange={(e) => { type(e.target.value); if (!e.target.value) ask(''); }} />
        <button className="btn" aria-label={t('Find', '찾기')} disabled={!HEX.test(typed.trim())}><Search size={13} /></button>
      </form>
      {q.error && <ErrorNote error={q.error} />}
      {q.data && (q.data.rows.length ? <div className="tscroll tall" tabIndex={0} style={{ maxHeight: 400 }} data-testid="last-requests"><table className="tb"><thead><tr><th>{t('Time', '시각')}</th><th>{t('Answer', '응답')}</th><th className="r">{t('Score', '점수')}</th><th className="r">{t('Version', '버전')}</th><th className="r">{t('Took', '소요')}</th><th className="r">CPU</th><th>{t('Caller', '호출자')}</th><th>{t('Id', '식별자')}</th><th><span className="sr">{t('Replay', '다시 물어보기')}</span></th></tr></thead>
        <tbody>{q.data.rows.map((r) => <tr key={r.id} title={JSON.stringify(r.inputs)}><td className="t2 nowrap">{f.clock(r.time_us)}</td><td className="m trunc" style={{ maxWidth: 150 }}>{f.sig(r.prediction, 5)}</td><td className="r">{f.fix(num(r.score))}</td><td className="r">v{r.version}</td><td className="r t2" title={split(r)}>{f.us(r.total_us)}</td><td className="r t3">{r.cpu_us == null ? '' : f.us(num(r.cpu_us)!)}</td><td className="t2">{r.principal}</td><td><code className="t3 fs11" title={r.trace_id ? `trace ${r.trace_id}` : undefined}>{r.id}</code></td><td><button className="btn ghost icon sm" aria-label={t(`Replay ${r.id}`, `${r.id} 다시 물어보기`)} onClick={() => setReplay([r.id.slice(0, 32)])}><History size={13} /></button></td></tr>)}</tbody></table></div>
        : <p className="t3" style={{ padding: '4px 14px 14px' }}>{found ? t('The log does not hold it: it may not be sampled, or too old.', '기록에 없습니다. 표본에서 빠졌거나 보관 기간이 지났습니다.') : t('No request is logged yet.', '아직 기록된 요청이 없습니다.')}</p>)}
      {replay && <ReplayDialog endpoint={endpoint} model={model} ids={replay} close={() => setReplay(null)} />}
    </Panel>
  );
}
