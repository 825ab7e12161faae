import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { CalendarClock, Play, RotateCcw, Square, Zap } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import { Dag, type Task as Node } from '../charts/Dag';
import { Gantt } from '../charts/Gantt';
import type { Schemas } from '../api/client';
import { useTopics } from '../api/live';
import { useApi, useChange, useProject } from '../api/use';
import { useHref, useView } from '../lib/nav';
import { stageWord, stateOf, stateWord, triggerWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { TaskInspector } from './TaskInspector';

type Run = Schemas['PipelineRun'];

export function PipelineRun() {
  const { id, run } = useParams({ strict: false }) as { id: string; run: string }; const t = useT(); const href = useHref(); const project = useProject(); const client = useQueryClient();
  const path = `/pipeline-runs/${encodeURIComponent(run)}`;
  usePage([[t('Pipelines', '파이프라인'), href('pipelines')], [id, href('pipelines', id)], [run.slice(-8)]], { cli: `maru pipeline show ${run}`, curl: curl(path) });
  const query = useApi<Run>(path, { live: 5000 });
  useTopics([`run:${run}`], (_topic, data) => { const d = data as Run; if (d?.id === run) client.setQueryData([project, path], d); else void client.invalidateQueries({ queryKey: [project, path] }); });
  return <Loaded query={query}>{(r) => <RunPage r={r} />}</Loaded>;
}

function RunPage({ r }: { r: Run }) {
  const t = useT(); const f = useFmt(); const nav = useNavigate(); const href = useHref(); const [get, set] = useView();
  const going = r.state === 'running' || r.state === 'pending'; const [now, setNow] = useState(Date.now());
  useEffect(() => { if (!going) return; const id = setInterval(() => setNow(Date.now()), 500); return () => clearInterval(id); }, [going]);
  const begin = r.started_us || r.created_us; const end = r.finished_us || now * 1000;
  const nodes: Node[] = useMemo(() => r.tasks.map((k) => {
    const st = k.started_us ? (k.started_us - begin) / 1e6 : -1; const d = k.started_us ? ((k.finished_us || now * 1000) - k.started_us) / 1e6 : 0;
    const sub = k.state === 'failed' ? k.error.slice(0, 40) : k.state === 'running' ? (k.progress_stage && stageWord(t, k.progress_stage)) || t('running', '실행 중') : k.cached ? t('cached', '캐시') : k.finished_us && k.started_us ? f.dur(d) : stateWord(t, k.state);
    return { id: k.name, s: stateOf(k.state, k.cached), sub, p: k.state === 'running' && k.progress >= 0 ? Math.min(1, k.progress) : undefined, deps: k.after, q: k.queued_us ? Math.max(0, (k.queued_us - begin) / 1e6) : Math.max(0, st), st, d, attempt: k.attempts > 1 ? k.attempts : undefined };
  }), [r, begin, now, t, f]);
  const bad = r.tasks.find((k) => k.state === 'failed'); const first = bad ?? r.tasks.find((k) => k.state === 'running') ?? r.tasks[r.tasks.length - 1];
  const cur = r.tasks.find((k) => k.name === get('task')) ?? first; const pick = (name: string) => set({ task: name });
  const done = r.tasks.filter((k) => k.state === 'succeeded').length; const cached = r.tasks.filter((k) => k.cached).length;
  const act = useChange<Run, 'retry' | 'cancel'>((what) => ({ path: `/pipeline-runs/${r.id}/${what}`, method: 'POST' }));
  const again = useChange<Run>(() => ({ path: `/pipelines/${encodeURIComponent(r.pipeline)}/runs`, method: 'POST', body: {} }));
  const error = act.error ?? again.error;
  return (
    <div className="page fill pr">
      <div className="ph">
        <div className="grow"><h1>{r.pipeline} <span className="at mono" style={{ fontSize: 14 }}>{r.id.slice(-8)}</span><Chip s={stateOf(r.state)}>{stateWord(t, r.state)}</Chip></h1>
          <div className="meta"><span className="row gap1"><Zap size={12} />{triggerWord(t, r.trigger)}</span><span className="row gap1" title={f.iso(r.created_us)}><CalendarClock size={12} />{f.date(r.created_us)} · <b className="num">{f.dur((end - begin) / 1e6)}</b></span><span>{t(`${done} of ${r.tasks.length} done`, `${r.tasks.length}개 중 ${done}개 완료`)}{cached > 0 && t(`, ${cached} from cache`, `, 캐시 ${cached}개`)}</span></div></div>
        <div className="acts">
          {going && <button className="btn" disabled={act.isPending} onClick={() => act.mutate('cancel')}><Square size={12} />{t('Stop', '중지')}</button>}
          {!going && <button className="btn" disabled={again.isPending} onClick={() => again.mutate(undefined, { onSuccess: (n) => void nav({ to: href('pipelines', n.pipeline, n.id) as '/' }) })}><Play size={13} />{t('Run again', '다시 실행')}</button>}
          {(r.state === 'failed' || r.state === 'cancelled') && <button className="btn primary" disabled={act.isPending} onClick={() => act.mutate('retry')}><RotateCcw size={13} />{t('Retry from failed', '실패한 곳부터 재시도')}</button>}
        </div>
      </div>
      {error && <ErrorNote error={error} />}
      {r.tasks.length > 0 && cur && <><Panel className="pr-dag" style={{ overflow: 'hidden', flex: 'none' }}><Dag tasks={nodes} cur={cur.name} onCur={pick} height={228} /></Panel>
        <div className="pr-split">
          <Panel title={t('Timeline', '시간표')} right={<div className="legend"><span><i className="sw box" style={{ background: 'var(--line-2)' }} />{t('queued', '대기열')}</span><span><i className="sw box" style={{ background: 'var(--ok-fill)' }} />{t('done', '완료')}</span><span><i className="sw box" style={{ background: 'var(--run-fill)' }} />{t('running', '실행 중')}</span></div>} flush className="pr-g"><Gantt tasks={nodes} cur={cur.name} onCur={pick} now={going ? (now * 1000 - begin) / 1e6 : null} total={Math.max(0.001, (end - begin) / 1e6)} /></Panel>
          <TaskInspector key={cur.name} run={r} task={cur} />
        </div></>}
    </div>
  );
}
