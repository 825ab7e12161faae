import { useQueries } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api, num, type Schemas } from '../api/client';
import { useProject } from '../api/use';
import { TimeChart } from '../charts/TimeChart';
import { lowerIsBetter, metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Panel } from '../ui/Panel';

type Run = Schemas['ExperimentRun'];

/** The ticked runs side by side: one metric's curve, all metrics, and the parameters that differ. */
export function ComparePanel({ runs, experiment, color, dash, metrics }: { runs: Run[]; experiment: string; color(id: string): string; dash(id: string): number[]; metrics: string[] }) {
  const t = useT(); const f = useFmt(); const project = useProject(); const [key, setKey] = useState(metrics[0] ?? '');
  const found = useQueries({ queries: runs.map((r) => ({ queryKey: [project, 'history', r.id, key], enabled: !!key && key in r.metrics, queryFn: () => api<Schemas['MetricHistory']>(`/experiment-runs/${r.id}/metrics/${key.split('/').map(encodeURIComponent).join('/')}`, project) })) });
  const stamp = found.map((q) => q.dataUpdatedAt).join();
  const chart = useMemo(() => {
    const xs = [...new Set(found.flatMap((q) => q.data?.points.map((p) => p.step) ?? []))].sort((a, b) => a - b);
    return { xs, lines: runs.map((r, i) => { const m = new Map(found[i].data?.points.map((p) => [p.step, num(p.value)])); return { label: r.name, color: color(r.id), dash: dash(r.id), y: xs.map((x) => m.get(x) ?? null) }; }) };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [stamp, runs, key]);
  const differing = [...new Set(runs.flatMap((r) => Object.keys(r.params)))].filter((k) => new Set(runs.map((r) => r.params[k])).size > 1).sort();
  const shown = metrics.filter((m) => runs.some((r) => num(r.metrics[m]) != null));
  const head = <thead><tr><th>{experiment}</th>{runs.map((r) => <th key={r.id} className="r"><span className="row gap1" style={{ justifyContent: 'flex-end' }}><i className="sw box" style={{ background: color(r.id) }} />{r.name.slice(0, 14)}</span></th>)}</tr></thead>;
  return (
    <>
      <Panel title={t('Curve', '곡선')} right={<select className="input" aria-label={t('Metric', '지표')} style={{ width: 170 }} value={key} onChange={(e) => setKey(e.target.value)}>{metrics.map((m) => <option key={m}>{m}</option>)}</select>}>
        {chart.xs.length > 1 ? <TimeChart key={stamp + key} label={`${key}: ${runs.map((r) => r.name).join(', ')}`} x={chart.xs} lines={chart.lines} height={170} /> : <p className="t3">{t('This metric has one value a run.', '이 지표는 실행마다 값이 하나입니다.')}</p>}
      </Panel>
      <Panel title={t('Metrics', '지표')} flush><div className="tscroll" tabIndex={0}><table className="tb">{head}<tbody>{shown.map((m) => { const v = runs.map((r) => num(r.metrics[m])); const known = v.filter((x): x is number => x != null); const top = lowerIsBetter(m) ? Math.min(...known) : Math.max(...known); return <tr key={m}><td className="t2" title={m}>{metricLabel(t, m)}</td>{v.map((x, i) => <td key={i} className={'r ' + (x === top && runs.length > 1 ? 'b' : '')}>{f.sig(x, 5)}</td>)}</tr>; })}</tbody></table></div></Panel>
      <Panel title={t('Parameters that differ', '서로 다른 매개변수')} flush>{differing.length ? <div className="tscroll" tabIndex={0}><table className="tb">{head}<tbody>{differing.map((k) => <tr key={k}><td className="mono fs12">{k}</td>{runs.map((r) => <td key={r.id} className="r">{r.params[k] ?? '–'}</td>)}</tr>)}</tbody></table></div> : <p className="t3" style={{ padding: '4px 14px 14px' }}>{t('None.', '없습니다.')}</p>}</Panel>
    </>
  );
}
