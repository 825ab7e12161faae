import { useParams } from '@tanstack/react-router';
import { enc, useApi, type Json } from '../api/client';
import { SERIES } from '../charts/base';
import { TimeChart } from '../charts/TimeChart';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Head, Loaded } from '../ui/State';
import { num, tone } from './state';

function Metric({ run, name }: { run: string; name: string }) {
  const t = useT();
  const history = useApi(`/experiment-runs/${run}/metrics/${enc(name)}`);
  return <Panel title={<span className="mono fs12">{name}</span>}><Loaded query={history}>{(d) => <TimeChart x={d.points.map((p: Json) => p.step)} lines={[{ label: name, y: d.points.map((p: Json) => num(p.value)), color: SERIES[0] }]} height={150} label={t(`${name} over steps`, `단계별 ${name}`)} />}</Loaded></Panel>;
}

export function ExperimentRun() {
  const { id, run } = useParams({ strict: false }) as { id: string; run: string };
  const t = useT(); const f = useFmt();
  const query = useApi('/experiment-runs/' + run);
  usePage([[t('Experiments', '실험'), '/p/default/experiments'], [id, '/p/default/experiments/' + enc(id)], [query.data?.name ?? run.slice(0, 12)]], 'maru runs list ' + id, '/experiment-runs/' + run);
  return (
    <div className="page"><Loaded query={query}>{(r) => (<>
      <Head title={<>{r.name} <Chip s={tone(r.status)} /></>} meta={<><span>{f.dur(Math.max(0, (r.end_us - r.start_us) / 1e6))}</span><span>{r.source}</span><span className="mono">{r.id}</span></>} />
      <div className="grid12">
        <Panel className="third" title={t('Metrics', '지표')} flush><table className="tb"><tbody>{Object.entries(r.metrics).map(([k, v]) => <tr key={k}><td className="mono fs12">{k}</td><td className="r num">{f.fix(num(v), 5)}</td></tr>)}</tbody></table></Panel>
        <Panel className="third" title={t('Parameters', '매개변수')} flush><table className="tb"><tbody>{Object.entries(r.params).map(([k, v]) => <tr key={k}><td className="mono fs12">{k}</td><td className="r num">{String(v)}</td></tr>)}</tbody></table></Panel>
        <Panel className="third" title={t('Files', '파일')} flush><table className="tb"><tbody>{r.artifacts.map((a: Json) => <tr key={a.path}><td><a className="lk mono fs12" href={`/api/v1/experiment-runs/${run}/artifacts/${a.path}`}>{a.path}</a></td><td className="r num">{f.bytes(a.bytes)}</td></tr>)}</tbody></table></Panel>
        {r.metric_keys.filter((k: string) => k.startsWith('valid_') || k.startsWith('train_')).map((k: string) => <div className="third" key={k}><Metric run={run} name={k} /></div>)}
      </div>
    </>)}</Loaded></div>
  );
}
