import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { api, num, type Schemas } from '../api/client';
import { useProject } from '../api/use';
import { Curves } from '../charts/Curves';
import { runName, type RunRow } from '../lib/runs';
import { lowerIsBetter, metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Panel } from '../ui/Panel';

/** The ticked runs side by side: one metric's curve, the shown metrics, and the parameters that differ. */
export function ComparePanel({ runs, experiment, color, dash, metrics }: { runs: RunRow[]; experiment: string; color(id: string): string; dash(id: string): number[]; metrics: string[] }) {
  const t = useT(); const f = useFmt(); const project = useProject(); const [picked, setKey] = useState(''); const ids = runs.map((r) => r.id);
  const full = useQuery<Schemas['RunComparison']>({ queryKey: [project, 'compared', ids], queryFn: () => api(`/run-comparisons`, project, { method: 'POST', body: { runs: ids } }), placeholderData: (old) => old });
  const whole = useMemo(() => new Map(full.data?.runs.map((r) => [r.id, r])), [full.data]); const all = runs.map((r) => whole.get(r.id) ?? r);
  const names = useMemo(() => [...new Set([...metrics, ...(full.data?.runs.flatMap((r) => Object.keys(r.metrics)) ?? [])])], [full.data, metrics]); const key = picked || names[0] || '';
  const curves = useQuery<Schemas['MetricSamples']>({ queryKey: [project, 'curves', ids, key], enabled: !!key, queryFn: () => api(`/metric-samples`, project, { method: 'POST', body: { runs: ids, keys: [key], points: 300 } }), placeholderData: (old) => old });
  const lines = useMemo(() => (curves.data?.series ?? []).filter((s) => s.steps.length > 1 && ids.includes(s.run)).map((s) => ({ ...s, label: runName(all.find((r) => r.id === s.run)!), color: color(s.run), dash: dash(s.run) })), [curves.data, ids.join()]); // eslint-disable-line react-hooks/exhaustive-deps
  const differing = [...new Set(all.flatMap((r) => Object.keys(r.params)))].filter((k) => new Set(all.map((r) => r.params[k])).size > 1).sort();
  const head = <thead><tr><th>{experiment}</th>{all.map((r) => <th key={r.id} className="r"><span className="row gap1" style={{ justifyContent: 'flex-end' }}><i className="sw box" style={{ background: color(r.id) }} />{runName(r).slice(0, 14)}</span></th>)}</tr></thead>;
  return (
    <>
      <Panel title={t('Curve', '곡선')} right={<select className="input" aria-label={t('Metric', '지표')} style={{ width: 190 }} value={key} onChange={(e) => setKey(e.target.value)}>{names.slice(0, 400).map((m) => <option key={m}>{m}</option>)}</select>}>
        {lines.length ? <Curves label={`${key}: ${all.map(runName).join(', ')}`} curves={lines} view={{ x: 'step', log: false, smooth: 0 }} /> : <p className="t3">{curves.isPending && key ? t('Loading', '불러오는 중') : t('This metric has one value a run.', '이 지표는 실행마다 값이 하나입니다.')}</p>}
      </Panel>
      <Panel title={t('Metrics', '지표')} flush><div className="tscroll" tabIndex={0}><table className="tb">{head}<tbody>{metrics.map((m) => { const v = all.map((r) => num(r.metrics[m])); const known = v.filter((x): x is number => x != null); const top = lowerIsBetter(m) ? Math.min(...known) : Math.max(...known); return <tr key={m}><td className="t2" title={m}>{metricLabel(t, m)}</td>{v.map((x, i) => <td key={i} className={'r ' + (x === top && all.length > 1 ? 'b' : '')}>{f.sig(x, 5)}</td>)}</tr>; })}</tbody></table></div></Panel>
      <Panel title={t('Parameters that differ', '서로 다른 매개변수')} flush>{differing.length ? <div className="tscroll" tabIndex={0}><table className="tb">{head}<tbody>{differing.slice(0, 60).map((k) => <tr key={k}><td className="mono fs12">{k}</td>{all.map((r) => <td key={r.id} className="r">{r.params[k] ?? '–'}</td>)}</tr>)}</tbody></table></div> : <p className="t3" style={{ padding: '4px 14px 14px' }}>{t('None.', '없습니다.')}</p>}</Panel>
    </>
  );
}
