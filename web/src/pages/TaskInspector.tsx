import { useEffect, useRef, useState } from 'react';
import { api, type Schemas } from '../api/client';
import { useProject } from '../api/use';
import { stageWord, stateOf, stateWord } from '../lib/words';
import { useView } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { CopyBtn } from '../ui/CopyBtn';
import { Panel } from '../ui/Panel';
import { Tabs } from '../ui/Tabs';

type Task = Schemas['Task'];

/** The log from a byte on: each look asks only for what is new. */
function useLog(run: string, task: string, going: boolean) {
  const project = useProject(); const [text, setText] = useState<string | null>(null); const [failed, setFailed] = useState('');
  useEffect(() => {
    let from = 0, stop = false; let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      try {
        const d = await api<Schemas['Logs']>(`/pipeline-runs/${run}/logs?task=${encodeURIComponent(task)}&from=${from}`, project);
        if (stop) return;
        const start = from; from = d.next; setFailed(''); setText((old) => (start === 0 ? '' : old ?? '') + d.text);
      } catch (e) { if (!stop) { setFailed((e as Error).message); setText((old) => old ?? ''); } }
      if (!stop && going) timer = setTimeout(look, 1000);
    };
    void look();
    return () => { stop = true; clearTimeout(timer); };
  }, [run, task, going, project]);
  return { text, failed };
}
const level = (line: string) => (/\b(error|fatal|failed)\b/i.test(line) ? 'e' : /\bwarn/i.test(line) ? 'w' : '');
const json = (v: unknown) => JSON.stringify(v, null, 2);

export function TaskInspector({ run, task }: { run: Schemas['PipelineRun']; task: Task }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView(); const tab = get('tab', 'log') as 'log' | 'io' | 'cache';
  const going = task.state === 'running' || task.state === 'queued' || task.state === 'pending';
  const { text, failed } = useLog(run.id, task.name, going); const end = useRef<HTMLDivElement>(null);
  useEffect(() => { if (task.state === 'running' && end.current) end.current.scrollTop = end.current.scrollHeight; }, [text, task.state]);
  const command = `maru pipeline logs ${run.id} ${task.name}`;
  return (
    <Panel className="pr-i" title={<span className="row"><span className="mono">{task.name}</span><Chip s={stateOf(task.state, task.cached)}>{task.cached ? t('Cached', '캐시됨') : stateWord(t, task.state)}</Chip></span>} right={<span className="t3 fs12">{task.kind}{task.attempts > 1 ? t(` · try ${task.attempts}`, ` · 시도 ${task.attempts}`) : ''}</span>} flush>
      <div style={{ padding: '0 14px' }}><Tabs label={task.name} value={tab} onChange={(v) => set({ tab: v === 'log' ? null : v })} items={[['log', t('Log', '로그')], ['io', t('In & out', '입출력')], ['cache', t('Why cached?', '캐시 이유')]]} /></div>
      <div className="pr-ib">
        {task.error && <div className="note n-bad" role="alert" style={{ marginBottom: 10, flex: 'none' }}><div className="grow col" style={{ gap: 5 }}><div className="b pre">{task.error}</div>{task.hint && <div className="t2 fs12 pre">{task.hint}</div>}{task.error_code && <code className="fs12 t3">{task.error_code}</code>}</div></div>}
        {task.state === 'running' && (task.progress_stage || task.progress_detail) && <p className="t2 fs12" style={{ marginBottom: 8 }}>{stageWord(t, task.progress_stage)} {task.progress_detail} {task.progress >= 0 && f.pct(task.progress, 0)}</p>}
        {tab === 'log' && <div className="code grow" ref={end} tabIndex={0} style={{ whiteSpace: 'pre-wrap', minHeight: 120 }}>{failed && <div className="e">{failed}</div>}{text ? text.trimEnd().split('\n').map((l, i) => <div key={i} className={level(l)}>{l || ' '}</div>) : <span className="c">{text === null ? '…' : going && task.state !== 'running' ? t(`Not started. Waits for: ${task.after.join(', ')}`, `아직 시작 전. 대기 중: ${task.after.join(', ')}`) : t('This task wrote no log line.', '이 작업은 로그를 남기지 않았습니다.')}</span>}{task.state === 'running' && <span className="c">▍</span>}</div>}
        {tab === 'io' && <div className="col gap3"><div><div className="t3 fs12">{t('reads the results of', '입력')}</div><div>{task.after.length ? task.after.map((x) => <button key={x} className="link mono" style={{ marginRight: 10 }} onClick={() => set({ task: x })}>{x}</button>) : t('nothing', '없음')}</div></div><div><div className="t3 fs12">{t('parameters', '매개변수')}</div><pre className="code pre" tabIndex={0}>{json(task.params)}</pre></div><div><div className="t3 fs12">{t('writes', '출력')}</div><pre className="code pre" tabIndex={0}>{json(task.outputs)}</pre></div></div>}
        {tab === 'cache' && <div className="col"><p className="t2">{task.cached ? t('The result of an earlier task with the same key was taken: same code, parameters and inputs.', '코드·매개변수·입력이 같은 이전 작업의 결과를 썼습니다.') : task.cache_key ? t('It ran: no earlier task had this key (code, parameters and inputs together).', '같은 키(코드·매개변수·입력)의 이전 결과가 없어 실행했습니다.') : t('This task is never taken from the cache.', '이 작업은 캐시를 쓰지 않습니다.')}</p>{task.cache_key && <code className="t3" style={{ overflowWrap: 'anywhere' }}>{task.cache_key}</code>}</div>}
      </div>
      <div className="pr-if"><span className="mono fs12 trunc">{command}</span><CopyBtn text={command} /></div>
    </Panel>
  );
}
