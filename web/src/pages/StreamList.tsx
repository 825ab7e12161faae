import { Pause, Play, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { useHref } from '../lib/nav';
import { useFmt, useT } from '../prefs';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { StreamDialog } from './StreamDialog';

type Row = Schemas['Stream'];

/** Stops, starts or forgets one stream. */
function Actions({ row, failed }: { row: Row; failed(error: Error): void }) {
  const t = useT();
  const act = useChange<unknown, string>((what) => (what === 'remove' ? { path: `/streams/${encodeURIComponent(row.name)}`, method: 'DELETE' } : { path: `/streams/${encodeURIComponent(row.name)}/${what}`, method: 'POST', body: {} }));
  const go = (what: string) => act.mutate(what, { onError: failed });
  const on = row.state === 'running' || row.state === 'waiting';
  const word = on ? t(`Stop ${row.name}`, `${row.name} 중지`) : t(`Start ${row.name}`, `${row.name} 시작`);
  const remove = t(`Remove ${row.name}; its dataset stays`, `${row.name} 삭제(데이터셋은 남음)`);
  return <span className="row gap1" onClick={(e) => e.stopPropagation()} onKeyDown={(e) => e.stopPropagation()}>
    <button className="btn sm" title={word} aria-label={word} disabled={act.isPending} onClick={() => go(on ? 'stop' : 'start')}>{on ? <Pause size={13} /> : <Play size={13} />}</button>
    {!on && <button className="btn sm" title={remove} aria-label={remove} disabled={act.isPending} onClick={() => go('remove')}><Trash2 size={13} /></button>}
  </span>;
}

export function StreamList() {
  const t = useT(); const f = useFmt(); const href = useHref(); const [adding, setAdding] = useState(false); const [error, setError] = useState<Error | null>(null);
  usePage([[t('Data', '데이터'), href('data')], [t('Streams', '스트림')]], { cli: 'maru stream list', curl: curl('/streams') });
  const query = useApi<{ streams: Row[] }>('/streams', { live: 2000 });
  const state = (r: Row) => ({ running: [t('running', '실행 중'), 'ok'], waiting: [t('waiting', '대기 중'), 'warn'], stopped: [t('stopped', '중지됨'), 'plain'], failed: [t('failed', '실패'), 'bad'] } as const)[r.state];
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(130px, 1fr)', cell: (r) => <span className="m trunc">{r.name}</span>, sort: (r) => r.name },
    { id: 's', head: t('State', '상태'), w: '110px', cell: (r) => <Chip s={state(r)[1]} title={r.error}>{state(r)[0]}</Chip>, sort: (r) => r.state },
    { id: 'a', head: t('From', '출처'), w: 'minmax(150px, 1.4fr)', cell: (r) => <span className={r.error ? 'bad trunc' : 't2 trunc'} title={r.error || r.address}>{r.error || (r.address === 'push' ? t('pushed over HTTP', 'HTTP로 받음') : r.address)}</span> },
    { id: 'r', head: t('Rows', '행'), w: '100px', r: true, cell: (r) => f.int(r.rows), sort: (r) => r.rows },
    { id: 'q', head: t('rows/s', '행/초'), w: '86px', r: true, cell: (r) => f.sig(r.rows_per_second), sort: (r) => r.rows_per_second },
    { id: 'l', head: t('Lag', '지연'), w: '86px', r: true, cell: (r) => (r.lag == null ? '–' : f.int(r.lag)), sort: (r) => r.lag ?? null },
    { id: 'd', head: t('Dead letters', '데드 레터'), w: '104px', r: true, cell: (r) => (r.dead ? <span onClick={(e) => e.stopPropagation()}><A to={href('data', r.dead_dataset)} className="bad m" title={t('Events that could not become rows', '행이 되지 못한 이벤트')}>{f.int(r.dead)}</A></span> : <span className="ok">0</span>), sort: (r) => r.dead },
    { id: 'x', head: t('Duplicates', '중복'), w: '92px', r: true, cell: (r) => f.int(r.duplicates), sort: (r) => r.duplicates },
    { id: 'u', head: t('Last batch', '마지막 배치'), w: '104px', r: true, cell: (r) => (r.last_batch_us ? <span className="t3" title={f.iso(r.last_batch_us)}>{f.ago(r.last_batch_us)}</span> : '–'), sort: (r) => r.last_batch_us },
    { id: 'z', head: '', w: '96px', r: true, cell: (r) => <Actions row={r} failed={setError} /> },
  ];
  const add = <button className="btn primary" onClick={() => setAdding(true)}><Plus size={14} />{t('Add a stream', '스트림 추가')}</button>;
  return <Loaded query={query}>{(d) => <>
    {error && <div className="page" style={{ paddingBottom: 0 }}><ErrorNote error={error} /></div>}
    <ListPage title={t('Streams', '스트림')} meta={<span>{t('Events become rows of a dataset, each once', '이벤트가 데이터셋의 행이 됩니다. 각각 정확히 한 번')}</span>} acts={add} rows={d.streams} cols={cols} id={(r) => r.name} to={(r) => href('data', r.dataset)}
      empty={<Empty title={t('No streams yet', '아직 스트림이 없습니다')} text={t('Kafka, NATS JetStream, or events that apps push: they are appended every few seconds.', 'Kafka, NATS JetStream, 앱이 보내는 이벤트를 몇 초마다 데이터셋에 덧붙입니다.')} command="maru stream add clicks kafka://host:9092/clicks" />} />
    {adding && <StreamDialog close={() => setAdding(false)} />}
  </>}</Loaded>;
}
