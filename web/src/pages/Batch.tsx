import { Link, useNavigate } from '@tanstack/react-router';
import { Play, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useTopics } from '../api/live';
import { useApi, useChange } from '../api/use';
import { josa } from '../lib/josa';
import { useHref, useView } from '../lib/nav';
import { stateOf, stateWord, triggerWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { Modal } from '../ui/Modal';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { BatchDialog } from './BatchDialog';

type Job = Schemas['BatchJob']; type Rhythm = Schemas['BatchSchedule'];
const fileOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** The rhythms that have a name; any other is shown as cron. */
function useRhythm() {
  const t = useT();
  const words: Record<string, string> = { '*/30 * * * *': t('every 30 minutes', '30분마다'), '0 * * * *': t('every hour', '매시간'), '0 0 * * *': t('every day', '매일'), '0 0 * * 1': t('every week', '매주') };
  return (cron: string) => words[cron] ?? cron;
}

function JobState({ job }: { job: Job }) {
  const t = useT(); const f = useFmt();
  const running = job.state === 'running' && job.progress >= 0;
  return (
    <span className="row" title={job.error ? `${job.error} ${job.hint}` : job.note}>
      <Chip s={stateOf(job.state)}>{running ? f.pct(job.progress, 0) : stateWord(t, job.state)}</Chip>
      {running ? <span className="bar" style={{ width: 90 }} role="progressbar" aria-label={t('Progress', '진행')} aria-valuenow={Math.round(job.progress * 100)}><i style={{ width: `${job.progress * 100}%` }} /></span>
        : job.error ? <span className="trunc bad fs12">{job.error}</span> : <span className="t3 fs12">{f.ago(job.created_us)}</span>}
    </span>
  );
}

function Schedules({ rows }: { rows: Rhythm[] }) {
  const t = useT(); const f = useFmt(); const rhythm = useRhythm(); const [ending, setEnding] = useState<string | null>(null);
  const remove = useChange<unknown, string>((name) => ({ path: `/batch-schedules/${encodeURIComponent(name)}`, method: 'DELETE' }));
  return (
    <Panel flush title={t('Schedules', '예약')} hint={t('cron is read as UTC', '주기는 UTC 기준')}>
      <div className="tscroll" tabIndex={0}><table className="tb">
        <thead><tr><th>{t('Name', '이름')}</th><th>{t('Model', '모델')}</th><th>{t('When', '주기')}</th><th>{t('Next', '다음')}</th><th>{t('Output', '출력')}</th><th className="r">{t('End', '끝내기')}</th></tr></thead>
        <tbody>{rows.map((r) => (
          <tr key={r.name}><td className="m">{r.name}</td><td>{r.model}</td><td title={r.cron}>{rhythm(r.cron)}</td><td>{f.date(r.next_tick_us)}</td><td className="m fs12" title={r.output}>{fileOf(r.output)}</td>
            <td className="r"><button className="btn ghost icon sm" aria-label={t(`End the schedule ${r.name}`, `예약 ${r.name} 끝내기`)} onClick={() => setEnding(r.name)}><Trash2 size={14} /></button></td></tr>))}</tbody>
      </table></div>
      <Modal open={ending != null} onOpenChange={(o) => { if (!o) setEnding(null); }} title={t('End a schedule', '예약 끝내기')}>{ending && <div className="col" style={{ padding: 18, gap: 12 }}><h2 className="fs16 b">{t(`End the schedule ${ending}?`, `예약 ${josa(ending, '을/를')} 끝낼까요?`)}</h2><p className="t2">{t('Jobs that ran stay here, and so do their files.', '이미 실행한 작업과 결과 파일은 그대로 남습니다.')}</p><div className="code" tabIndex={0}>maru batch remove {ending}</div>{remove.error && <ErrorNote error={remove.error} />}<div className="row" style={{ justifyContent: 'flex-end' }}><button className="btn" onClick={() => setEnding(null)}>{t('Cancel', '취소')}</button><button className="btn danger" disabled={remove.isPending} onClick={() => remove.mutate(ending, { onSuccess: () => setEnding(null) })}>{t('End it', '끝내기')}</button></div></div>}</Modal>
    </Panel>
  );
}

/** Whole files through a model: jobs with their progress, and what runs by schedule. */
export function Batch() {
  const t = useT(); const f = useFmt(); const href = useHref(); const nav = useNavigate(); const [get] = useView(); const model = get('model'); const [asking, setAsking] = useState(false);
  usePage([[t('Endpoints', '엔드포인트'), href('endpoints')], [t('Batch', '배치 예측')]], { cli: `maru batch ${model || 'MODEL'} --input new.parquet --output scored.parquet`, curl: curl('/batch') });
  const query = useApi<Schemas['BatchList']>('/batch' + (model ? `?model=${encodeURIComponent(model)}` : ''), { live: 5000 });
  useTopics((query.data?.jobs ?? []).filter((j) => j.state === 'running').map((j) => `run:${j.id}`));
  const cols: Col<Job>[] = [
    { id: 'o', head: t('Output', '출력'), w: 'minmax(150px, 1.2fr)', cell: (r) => <span className="m trunc" title={r.output}>{fileOf(r.output)}</span>, sort: (r) => r.output },
    { id: 's', head: t('State', '상태'), w: 'minmax(210px, 1fr)', cell: (r) => <JobState job={r} /> },
    { id: 'm', head: t('Model', '모델'), w: 'minmax(120px, 1fr)', cell: (r) => <span className="row gap1"><Link to={href('models', r.model) as '/'} onClick={(e) => e.stopPropagation()}>{r.model}</Link>{r.version != null && <Chip s="sq">v{r.version}</Chip>}</span>, sort: (r) => r.model },
    { id: 'r', head: t('Rows', '행'), w: '110px', r: true, cell: (r) => (r.rows == null ? <span className="t3">{r.state === 'running' ? r.detail.split(' ')[0] : '–'}</span> : f.int(r.rows)), sort: (r) => r.rows ?? null },
    { id: 'b', head: t('Bad rows', '불량 행'), w: '90px', r: true, cell: (r) => (r.failed == null ? <span className="t3">–</span> : <span className={r.failed ? 'bad m' : 't3'} title={r.errors ?? ''}>{f.int(r.failed)}</span>), sort: (r) => r.failed ?? null },
    { id: 'v', head: t('Rows/s', '행/초'), w: '100px', r: true, cell: (r) => (r.rows_per_second ? f.int(Math.round(r.rows_per_second)) : <span className="t3">–</span>), sort: (r) => r.rows_per_second ?? null },
    { id: 'c', head: t('CPU s / million', 'CPU초/백만 행'), w: '120px', r: true, title: t('CPU seconds that a million rows take', '백만 행에 드는 CPU 시간'), cell: (r) => (r.rows ? <span title={r.cost_per_million == null ? '' : t(`cost ${f.sig(r.cost_per_million)}`, `비용 ${f.sig(r.cost_per_million)}`)}>{f.sig(r.cpu_seconds_per_million ?? 0)}</span> : <span className="t3">–</span>), sort: (r) => r.cpu_seconds_per_million ?? null },
    { id: 'g', head: t('Started by', '시작 조건'), w: '110px', cell: (r) => <span className="t2">{triggerWord(t, r.trigger)}</span> },
  ];
  return (
    <Loaded query={query}>{(d) => {
      const open = (k: string) => { const j = d.jobs.find((x) => x.id === k); if (j) void nav({ to: href('pipelines', j.pipeline, j.id) as '/' }); };
      const running = d.jobs.filter((j) => j.state === 'running').length;
      return (
        <div className="page fill" data-testid="batch"><div className="ph"><div className="grow"><h1>{t('Batch predictions', '배치 예측')}</h1><div className="meta"><span>{t(`${d.jobs.length} jobs, ${running} running now`, `작업 ${d.jobs.length}개, 실행 중 ${running}개`)}</span>{model && <span>{t('of', '모델')} {model}</span>}</div></div><div className="acts"><button className="btn primary" onClick={() => setAsking(true)}><Play size={14} />{t('Score files', '파일 예측')}</button></div></div>
          {d.schedules.length > 0 && <Schedules rows={d.schedules} />}
          <Panel flush className="ex-list lst">{d.jobs.length ? <DataGrid rows={d.jobs} cols={cols} label={t('Batch predictions', '배치 예측')} id={(r) => r.id} rowH={46} onPick={open} onOpen={open} /> : <Empty title={t('No file has been scored yet', '아직 예측한 파일이 없습니다')} text={t('Whole files go through a model row by row, with the numbers of an online call; a job that is cut off goes on where it was.', '파일 전체를 온라인 예측과 똑같은 값으로 한 행씩 예측하며, 중간에 끊긴 작업은 이어서 계속합니다.')} command={`maru batch ${model || 'MODEL'} --input new.csv --output scored.csv`} />}</Panel>
          {asking && <BatchDialog model={model} close={() => setAsking(false)} />}
        </div>
      );
    }}</Loaded>
  );
}
