import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import { Radio, Upload } from 'lucide-react';
import { upload as send, type Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
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

type Row = Schemas['DatasetRow'];
const nameOf = (file: File) => file.name.replace(/\.[^]*$/, '').replace(/[^\w가-힣-]+/g, '_') || 'data';

export function DataList() {
  const t = useT(); const f = useFmt(); const href = useHref(); const input = useRef<HTMLInputElement>(null);
  usePage([[t('Data', '데이터')]], { cli: 'maru data list', curl: curl('/datasets') });
  const query = useApi<Schemas['DatasetList']>('/datasets');
  const project = useProject(); const client = useQueryClient(); const nav = useNavigate(); const [sent, setSent] = useState(0);
  const upload = useMutation<Schemas['ImportResult'], Error, File>({
    mutationFn: (file) => { setSent(0); return send(`/datasets/${encodeURIComponent(nameOf(file))}/upload?filename=${encodeURIComponent(file.name)}`, project, file, setSent); },
    onSuccess: async (_r, file) => { await client.invalidateQueries({ queryKey: [project] }); void nav({ to: href('data', nameOf(file)) as '/' }); },
  });
  const cols: Col<Row>[] = [
    { id: 'n', head: t('Name', '이름'), w: 'minmax(170px, 1.4fr)', cell: (r) => <span className="row"><span className="m trunc">{r.name}</span>{r.number != null && <span className="t3">@{r.number}</span>}</span>, sort: (r) => r.name },
    { id: 's', head: t('Health', '상태'), w: '150px', cell: (r) => (r.errors == null ? <Chip s="plain">{t('not checked', '검증 전')}</Chip> : <Chip s={r.errors ? 'bad' : r.warnings ? 'warn' : 'ok'}>{r.errors ? t(`${r.errors} errors`, `오류 ${r.errors}건`) : r.warnings ? t(`${r.warnings} warnings`, `주의 ${r.warnings}건`) : t('all rules hold', '모든 규칙 통과')}</Chip>), sort: (r) => (r.errors ?? -1) * 1000 + (r.warnings ?? 0) },
    { id: 'd', head: t('Drift', '드리프트'), w: '80px', r: true, cell: (r) => f.fix(r.drift), sort: (r) => r.drift ?? null },
    { id: 'r', head: t('Rows', '행'), w: '100px', r: true, cell: (r) => f.int(r.rows), sort: (r) => r.rows ?? null },
    { id: 'c', head: t('Columns', '열'), w: '80px', r: true, cell: (r) => f.int(r.columns), sort: (r) => r.columns ?? null },
    { id: 'z', head: t('Size', '크기'), w: '84px', r: true, cell: (r) => <span className="t2">{f.bytes(r.bytes)}</span>, sort: (r) => r.bytes ?? null },
    { id: 'v', head: t('Versions', '버전'), w: '84px', r: true, cell: (r) => f.int(r.snapshots), sort: (r) => r.snapshots },
    { id: 'u', head: t('Source', '출처'), w: 'minmax(120px, 1.2fr)', cell: (r) => <span className="t2" title={r.source}>{r.source}</span> },
    { id: 'a', head: t('Updated', '갱신'), w: '100px', r: true, cell: (r) => <span className="t3" title={f.iso(r.updated_us)}>{f.ago(r.updated_us)}</span>, sort: (r) => r.updated_us },
  ];
  return <Loaded query={query}>{(d) => <>
    {upload.isPending && <div className="page" style={{ paddingBottom: 0 }} role="status" data-testid="uploading"><div className="note"><Upload size={15} /><div className="grow col" style={{ gap: 7 }}><div><b>{upload.variables.name}</b> <span className="t3 fs12">{f.bytes(upload.variables.size)} · {sent < 1 ? t(`${f.pct(sent, 0)} sent`, `${f.pct(sent, 0)} 보냄`) : t('reading and profiling', '읽고 프로파일을 만드는 중')}</span></div><div className="progress"><i style={{ width: `${sent * 100}%` }} /></div></div></div></div>}
    {upload.error && <div className="page" style={{ paddingBottom: 0 }}><ErrorNote error={upload.error} /></div>}
    <ListPage title={t('Data', '데이터')} meta={<span>{t(`${d.datasets.length} sets, ${f.bytes(d.datasets.reduce((a, r) => a + (r.bytes ?? 0), 0))}, all on this machine`, `${d.datasets.length}개, ${f.bytes(d.datasets.reduce((a, r) => a + (r.bytes ?? 0), 0))}, 모두 이 컴퓨터에 있음`)}</span>} acts={<><A className="btn" to={href('data', '-', 'streams')}><Radio size={14} />{t('Streams', '스트림')}</A><input ref={input} type="file" hidden aria-label={t('File', '파일')} accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.gz,.zst" onChange={(e) => { const file = e.target.files?.[0]; if (file) upload.mutate(file); e.target.value = ''; }} /><button className="btn primary" disabled={upload.isPending} onClick={() => input.current?.click()}><Upload size={14} />{upload.isPending ? t('Reading …', '읽는 중 …') : t('Add data', '데이터 추가')}</button></>}
      rows={d.datasets} cols={cols} id={(r) => r.name} to={(r) => href('data', r.name)} empty={<Empty title={t('No data yet', '아직 데이터가 없습니다')} text={t('A dataset is a row of immutable snapshots, each with its profile.', '데이터셋은 변하지 않는 스냅샷들이며, 각각 프로파일이 있습니다.')} command="maru data import data.csv --name data" />} />
  </>}</Loaded>;
}
