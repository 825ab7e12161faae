import { useParams } from '@tanstack/react-router';
import { Download } from 'lucide-react';
import { useMemo } from 'react';
import { num, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { TimeChart } from '../charts/TimeChart';
import { useHref } from '../lib/nav';
import { metricLabel, stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';

type Run = Schemas['ExperimentRunDetail'];

export function ExperimentRun() {
  const { id, run } = useParams({ strict: false }) as { id: string; run: string }; const t = useT(); const href = useHref(); const path = `/experiment-runs/${encodeURIComponent(run)}`;
  const query = useApi<Run>(path);
  usePage([[t('Experiments', '실험'), href('experiments')], [id, href('experiments', id)], [query.data?.name || run.slice(0, 8)]], { cli: `maru runs list ${id}`, curl: curl(path) });
  return <Loaded query={query}>{(r) => <RunPage r={r} />}</Loaded>;
}

function Curve({ run, metric }: { run: string; metric: string }) {
  const t = useT(); const q = useApi<Schemas['MetricHistory']>(`/experiment-runs/${run}/metrics/${metric.split('/').map(encodeURIComponent).join('/')}`);
  const data = useMemo(() => { const p = q.data?.points.filter((x) => num(x.value) != null) ?? []; return { x: p.map((v) => v.step), y: p.map((v) => num(v.value)!) }; }, [q.data]);
  if (data.x.length < 2) return null;
  return <Panel className="c4 m6" title={metricLabel(t, metric)} hint={`${data.x.length}`}><TimeChart label={t(`${metric} by step`, `단계별 ${metric}`)} x={data.x} lines={[{ label: metric, color: 'var(--c1)', y: data.y }]} height={160} yw={52} /></Panel>;
}

function RunPage({ r }: { r: Run }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const project = useProject();
  const kv = (o: Record<string, string>) => Object.entries(o).sort(([a], [b]) => a.localeCompare(b));
  return (
    <div className="page">
      <div className="ph"><div className="grow"><h1>{r.name || r.id.slice(0, 8)}<Chip s={stateOf(r.status)}>{stateWord(t, r.status)}</Chip>{r.model_version && <A to={href('models', `${r.model_version.model}@${r.model_version.version}`)}><Chip s="alias" className={r.model_version.aliases.length ? '' : 'soft'}>{r.model_version.model} v{r.model_version.version}</Chip></A>}</h1><div className="meta"><span title={f.iso(r.start_us)}>{f.date(r.start_us)}</span>{r.end_us > 0 && <span>{f.dur((r.end_us - r.start_us) / 1e6)}</span>}{r.source && <span>{r.source}</span>}<code>{r.id}</code></div></div></div>
      <div className="grid12">
        <Panel className="c5 m12 top-align" title={t('Metrics', '지표')} right={<span className="t3 fs12">{Object.keys(r.metrics).length}</span>} flush><div className="tscroll tall" tabIndex={0}><table className="tb"><tbody>{Object.entries(r.metrics).sort(([a], [b]) => a.localeCompare(b)).map(([k, v]) => <tr key={k}><td className="t2">{k}</td><td className="r m">{f.sig(num(v) ?? v, 6)}</td></tr>)}</tbody></table></div></Panel>
        <Panel className="c7 m12 top-align" title={t('Parameters', '매개변수')} flush><div className="tscroll tall" tabIndex={0}><table className="tb"><tbody>{kv(r.params).map(([k, v]) => <tr key={k}><td className="mono fs12">{k}</td><td style={{ overflowWrap: 'anywhere' }}>{v}</td></tr>)}</tbody></table></div></Panel>
        {r.metric_keys.slice(0, 24).map((k) => <Curve key={k} run={r.id} metric={k} />)}
        {Object.keys(r.tags).length > 0 && <Panel className="c12" title={t('Tags', '태그')}><dl className="kv">{kv(r.tags).map(([k, v]) => [<dt key={k} className="mono">{k}</dt>, <dd key={k + 'v'}>{v}</dd>])}</dl></Panel>}
        <Panel className="c12" title={t('Files', '파일')} right={<span className="t3 fs12">{r.artifacts.length}</span>} flush>{r.artifacts.length ? <div className="tscroll" tabIndex={0}><table className="tb"><tbody>{r.artifacts.map((a) => <tr key={a.path}><td className="mono fs12">{a.path}</td><td className="r">{f.bytes(a.bytes)}</td><td className="t3 mono fs11">{a.sha256.slice(0, 16)}</td><td className="r"><a className="btn sm ghost" download href={`/api/v1/experiment-runs/${r.id}/artifacts/${a.path.split('/').map(encodeURIComponent).join('/')}?project=${encodeURIComponent(project)}`}><Download size={13} /><span className="sr">{a.path}</span></a></td></tr>)}</tbody></table></div> : <p className="t3" style={{ padding: '4px 14px 14px' }}>{t('This run stored no file.', '이 실행은 파일을 남기지 않았습니다.')}</p>}</Panel>
      </div>
    </div>
  );
}
