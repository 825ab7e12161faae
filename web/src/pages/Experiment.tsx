import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { enc, useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Head, Loaded } from '../ui/State';
import { ageOf, num, tone } from './state';

export function Experiment() {
  const { id } = useParams({ strict: false }) as { id: string };
  const t = useT(); const f = useFmt(); const nav = useNavigate();
  const [q, setQ] = useState(''); const [sel, setSel] = useState<Set<string>>(new Set());
  const path = `/experiments/${enc(id)}/runs?limit=1000&q=${enc(q)}`;
  usePage([[t('Experiments', '실험'), '/p/default/experiments'], [id]], 'maru runs list ' + id, path);
  useLive(['project:default'], [`/experiments/${enc(id)}`]);
  const runs = useApi(path);
  const open = (run: string) => void nav({ to: `/p/default/experiments/${enc(id)}/runs/${run}` as '/' });
  const cols = (d: Json): Col<Json>[] => [
    { id: 'name', head: t('Run', '실행'), w: 'minmax(170px, 1.4fr)', cell: (r) => <button className="lk" onClick={(e) => { e.stopPropagation(); open(r.id); }}>{r.name}</button>, sort: (r) => r.name },
    { id: 'status', head: t('State', '상태'), w: '110px', cell: (r) => <Chip s={tone(r.status)} /> },
    ...d.metric_keys.filter((k: string) => !k.startsWith('train_') && !k.startsWith('valid_')).slice(0, 8).map((k: string) => ({ id: k, head: <span className="mono fs12">{k}</span>, w: '110px', r: true, cell: (r: Json) => f.fix(num(r.metrics[k]), 4), sort: (r: Json) => num(r.metrics[k]) })),
    ...d.param_keys.filter((k: string) => k !== 'config').slice(0, 6).map((k: string) => ({ id: 'p:' + k, head: <span className="mono fs12">{k}</span>, w: '110px', r: true, cell: (r: Json) => r.params[k] ?? '–', sort: (r: Json) => Number(r.params[k]) || null })),
    { id: 'v', head: t('Version', '버전'), w: '130px', cell: (r) => r.model_version ? <Chip s="alias">{r.model_version.model} v{r.model_version.version}</Chip> : null },
    { id: 'age', head: t('Started', '시작'), w: '110px', r: true, cell: (r) => <span className="t3">{f.ago(ageOf(r.start_us))}</span>, sort: (r) => -r.start_us },
  ];
  return (
    <div className="page fill"><Head title={id} meta={runs.data && <span>{f.int(runs.data.total)} {t('runs', '개 실행')}</span>} />
      <div className="qbar"><input value={q} aria-label={t('Filter by name', '이름으로 찾기')} placeholder={t('Filter by name', '이름으로 찾기')} onChange={(e) => setQ(e.target.value)} style={{ border: 0, background: 'transparent', color: 'inherit', width: '100%' }} /></div>
      <Loaded query={runs}>{(d) => (<>
        <Panel flush className="ex-list lst"><DataGrid rows={d.runs} cols={cols(d)} label={id} id={(r) => r.id} sel={sel} onSel={setSel} onOpen={open} /></Panel>
        {sel.size >= 2 && <Compare runs={d.runs.filter((r: Json) => sel.has(r.id))} />}
      </>)}</Loaded>
    </div>
  );
}

/** What differs between the ticked runs; equal rows are hidden. */
function Compare({ runs }: { runs: Json[] }) {
  const t = useT(); const f = useFmt();
  const keys = (part: 'params' | 'metrics') => [...new Set(runs.flatMap((r) => Object.keys(r[part])))].sort().filter((k) => new Set(runs.map((r) => String(r[part][k]))).size > 1);
  return (
    <Panel title={t(`What differs between ${runs.length} runs`, `실행 ${runs.length}개의 차이`)} flush><div style={{ overflow: 'auto', maxHeight: 320 }} tabIndex={0} role="region" aria-label={t('Comparison', '비교')}><table className="tb"><thead><tr><th></th>{runs.map((r) => <th key={r.id} className="r">{r.name}</th>)}</tr></thead><tbody>
      {keys('metrics').map((k) => <tr key={k}><td className="mono fs12">{k}</td>{runs.map((r) => <td key={r.id} className="r num">{f.fix(num(r.metrics[k]), 4)}</td>)}</tr>)}
      {keys('params').map((k) => <tr key={k}><td className="mono fs12 t2">{k}</td>{runs.map((r) => <td key={r.id} className="r num">{r.params[k] ?? '–'}</td>)}</tr>)}
    </tbody></table></div></Panel>
  );
}
