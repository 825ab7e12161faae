import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useView } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';

const PAGE = 100;

export function DatasetRows({ name, number }: { name: string; number: number }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView(); const offset = Number(get('offset', '0')) || 0;
  const query = useApi<Schemas['Rows']>(`/datasets/${encodeURIComponent(name)}/rows?snapshot=${number}&offset=${offset}&limit=${PAGE}`, { keep: true });
  return <Loaded query={query}>{(d) => <Panel flush title={t('Rows', '행')} hint={t(`${f.int(offset + 1)}–${f.int(Math.min(d.total, offset + PAGE))} of ${f.int(d.total)}`, `${f.int(d.total)}행 중 ${f.int(offset + 1)}–${f.int(Math.min(d.total, offset + PAGE))}`)} right={<><button className="btn sm" disabled={offset === 0} onClick={() => set({ offset: String(Math.max(0, offset - PAGE)) })}>{t('Previous', '이전')}</button><button className="btn sm" disabled={offset + PAGE >= d.total} onClick={() => set({ offset: String(offset + PAGE) })}>{t('Next', '다음')}</button></>}>
    <div className="tscroll tall" tabIndex={0}><table className="tb rows"><thead><tr>{d.columns.map((c) => <th key={c.name} className={/int|float/.test(c.type) ? 'r' : ''}>{c.name}</th>)}</tr></thead><tbody>{d.rows.map((r, i) => <tr key={i}>{r.map((v, j) => <td key={j} className={/int|float/.test(d.columns[j].type) ? 'r' : ''}>{v == null ? <span className="t3">–</span> : String(v)}</td>)}</tr>)}</tbody></table></div>
  </Panel>}</Loaded>;
}
