import { useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { call, enc, useApi, useLive, type Json } from '../api/client';
import { Dag, Gantt, type Task } from '../charts/Dag';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Head, Loaded } from '../ui/State';
import { Tabs } from '../ui/Tabs';
import { tone } from './state';

function Log({ run, task }: { run: string; task: string }) {
  const t = useT();
  const log = useApi(`/pipeline-runs/${run}/logs?task=${enc(task)}&from=0`, 2000);
  return <Loaded query={log}>{(d) => <pre className="code" tabIndex={0} aria-label={t('Log', '로그')} style={{ maxHeight: 320, overflow: 'auto', margin: 0, whiteSpace: 'pre-wrap' }}>{d.text || t('Nothing written yet.', '아직 기록이 없습니다.')}</pre>}</Loaded>;
}

export function PipelineRun() {
  const { id, run } = useParams({ strict: false }) as { id: string; run: string };
  const t = useT(); const f = useFmt();
  usePage([[t('Pipelines', '파이프라인'), '/p/default/pipelines'], [id, '/p/default/pipelines/' + enc(id)], [run.slice(0, 12)]], 'maru pipeline show ' + run, '/pipeline-runs/' + run);
  useLive(['run:' + run], ['/pipeline-runs/' + run]);
  const query = useApi('/pipeline-runs/' + run);
  const [chosen, setChosen] = useState(new URLSearchParams(location.search).get('task') ?? '');
  const [tab, setTab] = useState<'log' | 'io'>('log');
  const act = (what: string) => void call('POST', `/pipeline-runs/${run}/${what}`, {}).then(() => query.refetch());
  const tasksOf = (r: Json): Task[] => r.tasks.map((x: Json) => {
    const zero = r.started_us || r.created_us;
    return { id: x.name, s: x.cached ? 'cached' : tone(x.state), sub: x.cached ? t('cached', '캐시') : x.seconds ? f.dur(x.seconds) : x.progress_stage || '', p: x.state === 'running' && x.progress >= 0 ? x.progress : undefined, deps: x.after, q: 0, st: Math.max(0, (x.started_us - zero) / 1e6), d: x.seconds || 0, attempt: x.attempts > 1 ? x.attempts : undefined };
  });
  return (
    <div className="page"><Loaded query={query}>{(r) => {
      const tasks = tasksOf(r); const failed = r.tasks.find((x: Json) => x.state === 'failed');
      const cur = chosen || failed?.name || r.tasks.find((x: Json) => x.state === 'running')?.name || r.tasks[0].name;
      const task = r.tasks.find((x: Json) => x.name === cur) ?? r.tasks[0];
      return (<>
        <Head title={<>{id} <Chip s={tone(r.state)} /></>} meta={<><span>{r.trigger}</span><span>{f.dur(r.seconds)}</span><span className="mono">{run}</span></>}
          acts={r.state === 'running' || r.state === 'pending' ? <button className="btn" onClick={() => act('cancel')}>{t('Stop', '중지')}</button> : r.state !== 'succeeded' ? <button className="btn primary" onClick={() => act('retry')}>{t('Retry from failed', '실패부터 다시')}</button> : null} />
        <Panel flush><Dag tasks={tasks} cur={cur} onCur={setChosen} height={210} /></Panel>
        <Panel title={t('Timeline', '시간표')}><Gantt tasks={tasks} cur={cur} onCur={setChosen} now={r.seconds || 1} total={Math.max(1, r.seconds || 1, ...tasks.map((x) => x.st + x.d))} /></Panel>
        <Panel title={<>{task.name} <Chip s={task.cached ? 'cached' : tone(task.state)} /></>} hint={task.kind} right={<Tabs label={t('Task', '작업')} value={tab} onChange={setTab} items={[['log', t('Log', '로그')], ['io', t('In & out', '입출력')]]} />}>
          {task.error && <div className="note n-bad" role="alert"><div className="col" style={{ gap: 4 }}><div className="b">{task.error}</div>{task.hint && <div className="t2">{task.hint}</div>}<code className="fs12 t2">{task.error_code}</code></div></div>}
          {tab === 'log' ? <Log run={run} task={task.name} /> : <pre className="code" tabIndex={0} style={{ maxHeight: 320, overflow: 'auto', margin: 0 }}>{JSON.stringify({ params: task.params, outputs: task.outputs, cache_key: task.cache_key }, null, 2)}</pre>}
        </Panel>
      </>);
    }}</Loaded></div>
  );
}
