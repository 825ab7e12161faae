import { useQuery } from '@tanstack/react-query';
import { ChevronRight, Download, File, FileImage, FileJson, FileText, Folder } from 'lucide-react';
import { useEffect, useMemo, useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { kindOf, parseTable, typeOf } from '../lib/artifact';
import { useView } from '../lib/nav';
import { artifactUrl } from '../lib/runs';
import { useFmt, useT } from '../prefs';
import { Empty } from '../ui/Empty';
import { ErrorNote } from '../ui/ErrorNote';
import { Markdown } from '../ui/Markdown';
import { Panel } from '../ui/Panel';

type FileRef = Schemas['FileRef'];
const MOST = 400_000; // bytes of a text that are fetched and shown
const MOST_IMAGE = 30_000_000;
type Node = { name: string; path: string; depth: number; file?: FileRef; bytes: number };

export function Artifacts({ run, files }: { run: string; files: FileRef[] }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView(); const [closed, setClosed] = useState(new Set<string>());
  const nodes = useMemo(() => {
    const folders = new Map<string, number>(); const out: Node[] = []; const seen = new Set<string>();
    for (const a of files) { const p = a.path.split('/'); for (let i = 1; i < p.length; i++) { const d = p.slice(0, i).join('/'); folders.set(d, (folders.get(d) ?? 0) + a.bytes); } }
    for (const a of [...files].sort((x, y) => x.path.localeCompare(y.path))) {
      const p = a.path.split('/'); let hidden = false;
      for (let i = 1; i < p.length; i++) { const d = p.slice(0, i).join('/'); if (!hidden && !seen.has(d)) { seen.add(d); out.push({ name: p[i - 1], path: d, depth: i - 1, bytes: folders.get(d)! }); } if (closed.has(d)) hidden = true; }
      if (!hidden) out.push({ name: p.at(-1)!, path: a.path, depth: p.length - 1, file: a, bytes: a.bytes });
    }
    return out;
  }, [files, closed]);
  const first = files.find((a) => ['image', 'json', 'text', 'table', 'parquet', 'markdown'].includes(kindOf(a.path))) ?? files[0]; const path = get('file', first?.path ?? ''); const file = files.find((a) => a.path === path);
  const icon = (p: string) => { const k = kindOf(p); return k === 'image' ? <FileImage size={14} /> : k === 'json' ? <FileJson size={14} /> : k === 'other' ? <File size={14} /> : <FileText size={14} />; };
  if (!files.length) return <Panel><Empty title={t('No files', '파일이 없습니다')} text={t('What a run stores with log_artifact appears here.', '실행이 log_artifact로 저장한 것이 여기에 나타납니다.')} command="mlflow.log_artifact('plot.png')" /></Panel>;
  return (
    <div className="arts">
      <Panel title={t('Files', '파일')} right={<span className="t3 fs12">{f.int(files.length)} · {f.bytes(files.reduce((a, x) => a + x.bytes, 0))}</span>} flush><div className="files" tabIndex={0}>
        {nodes.slice(0, 2000).map((n) => n.file ? <button key={n.path} aria-current={n.path === path} style={{ paddingLeft: 8 + n.depth * 16 }} onClick={() => set({ file: n.path })} title={n.path}>{icon(n.path)}<span className="trunc">{n.name}</span><span className="sz num">{f.bytes(n.bytes)}</span></button>
          : <button key={n.path + '/'} aria-expanded={!closed.has(n.path)} style={{ paddingLeft: 8 + n.depth * 16 }} onClick={() => setClosed((s) => { const c = new Set(s); if (c.has(n.path)) c.delete(n.path); else c.add(n.path); return c; })}><ChevronRight size={12} style={{ rotate: closed.has(n.path) ? '0deg' : '90deg' }} /><Folder size={14} /><span className="trunc">{n.name}</span><span className="sz num">{f.bytes(n.bytes)}</span></button>)}
        {nodes.length > 2000 && <p className="t3 fs12" style={{ padding: 8 }}>{t(`and ${nodes.length - 2000} more`, `외 ${nodes.length - 2000}개`)}</p>}</div></Panel>
      {file ? <Viewer key={file.path} run={run} file={file} /> : <Panel><p className="t3">{t('Choose a file.', '파일을 고르십시오.')}</p></Panel>}
    </div>
  );
}

function Viewer({ run, file }: { run: string; file: FileRef }) {
  const t = useT(); const f = useFmt(); const project = useProject(); const url = artifactUrl(run, file.path, project); const kind = kindOf(file.path); const [asText, setAsText] = useState(false);
  const isText = kind !== 'image' && kind !== 'other' && kind !== 'parquet'; const ok = kind === 'image' ? file.bytes <= MOST_IMAGE : isText || asText;
  const q = useQuery({ queryKey: [project, 'artifact', run, file.path, file.sha256, asText], enabled: ok, staleTime: Infinity, gcTime: 60_000, queryFn: async () => {
    const cut = kind !== 'image' && file.bytes > MOST; const a = await fetch(url, cut ? { headers: { Range: `bytes=0-${MOST - 1}` } } : undefined); if (!a.ok) throw new Error(`${a.status} ${(await a.text()).slice(0, 200)}`);
    const blob = await a.blob(); return kind === 'image' ? { blob: new Blob([blob], { type: typeOf(file.path) }), text: '', cut: false } : { blob, text: (await blob.text()).slice(0, MOST), cut };
  } });
  const [src, setSrc] = useState(''); const blob = kind === 'image' ? q.data?.blob : undefined;
  useEffect(() => { if (!blob) return; const u = URL.createObjectURL(blob); setSrc(u); return () => URL.revokeObjectURL(u); }, [blob]);
  return (
    <Panel title={<span className="mono fs12" style={{ overflowWrap: 'anywhere' }}>{file.path}</span>} right={<><span className="t3 fs12">{f.bytes(file.bytes)}</span><a className="btn sm" download href={url}><Download size={13} />{t('Download', '내려받기')}</a></>} footer={file.sha256 ? <span className="mono fs11 trunc">sha256 {file.sha256}</span> : undefined}>
      <div className="view" tabIndex={0} data-kind={kind}>
        {q.error && <ErrorNote error={q.error} retry={() => void q.refetch()} />}
        {kind === 'parquet' && <Rows run={run} path={file.path} />}
        {!ok && kind !== 'parquet' && <p className="t2">{kind === 'image' ? t('This picture is too large to show here.', '이 그림은 여기에 보이기에 너무 큽니다.') : <>{t('There is no viewer for this kind of file.', '이런 파일의 뷰어는 없습니다.')} <button className="link" onClick={() => setAsText(true)}>{t('Show it as text', '글로 보기')}</button></>}</p>}
        {q.data && (kind === 'image' ? src && <img src={src} alt={file.path} /> : kind === 'html' ? <iframe title={file.path} sandbox="" srcDoc={q.data.text} /> : kind === 'markdown' ? <Markdown text={q.data.text} /> : kind === 'table' ? <TableView text={q.data.text} cut={q.data.cut} tab={/\.tsv$/i.test(file.path)} /> : <pre className="code" tabIndex={0}>{kind === 'json' && !q.data.cut ? pretty(q.data.text) : q.data.text}</pre>)}
        {q.data?.cut && <p className="t3 fs12" style={{ marginTop: 8 }}>{t(`The first ${f.bytes(MOST)} are shown.`, `처음 ${f.bytes(MOST)}만 보입니다.`)}</p>}
      </div>
    </Panel>
  );
}
/** The rows of a Parquet file, which the server reads. */
function Rows({ run, path }: { run: string; path: string }) {
  const t = useT(); const f = useFmt(); const [from, setFrom] = useState(0); const LIMIT = 100; const q = useApi<Schemas['Rows']>(`/experiment-runs/${run}/rows/${path.split('/').map(encodeURIComponent).join('/')}?limit=${LIMIT}&offset=${from}`, { keep: true });
  if (q.error) return <ErrorNote error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <p className="t3">…</p>;
  const { columns, rows, total } = q.data; const number = columns.map((c) => c.type === 'integer' || c.type === 'float');
  return <><table className="tb"><thead><tr>{columns.map((c, i) => <th key={i} className={number[i] ? 'r' : ''} title={c.type}>{c.name}</th>)}</tr></thead><tbody>{rows.map((r, i) => <tr key={i}>{columns.map((_, k) => <td key={k} className={number[k] ? 'r num' : ''}>{r[k] == null ? <span className="t3">–</span> : String(r[k])}</td>)}</tr>)}</tbody></table>
    <div className="row" style={{ marginTop: 8 }}><span className="t3 fs12 num">{t(`${f.int(total ? from + 1 : 0)}–${f.int(from + rows.length)} of ${f.int(total)} rows`, `${f.int(total)}행 중 ${f.int(total ? from + 1 : 0)}–${f.int(from + rows.length)}`)}</span>{total > LIMIT && <span className="end row gap1"><button className="btn sm" disabled={from === 0} onClick={() => setFrom(Math.max(0, from - LIMIT))}>{t('Previous', '이전')}</button><button className="btn sm" disabled={from + LIMIT >= total} onClick={() => setFrom(from + LIMIT)}>{t('Next', '다음')}</button></span>}</div></>;
}
const pretty = (text: string) => { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } };

function TableView({ text, cut, tab }: { text: string; cut: boolean; tab: boolean }) {
  const t = useT(); const f = useFmt(); const rows = useMemo(() => parseTable(text, tab ? '\t' : ',', 501), [text, tab]); const head = rows[0] ?? []; const number = head.map((_, i) => rows.slice(1, 30).every((r) => r[i] === undefined || r[i] === '' || Number.isFinite(+r[i])));
  return <><table className="tb"><thead><tr>{head.map((h, i) => <th key={i} className={number[i] ? 'r' : ''}>{h}</th>)}</tr></thead><tbody>{rows.slice(1, 501).map((r, i) => <tr key={i}>{head.map((_, k) => <td key={k} className={number[k] ? 'r num' : ''}>{r[k]}</td>)}</tr>)}</tbody></table><p className="t3 fs12" style={{ marginTop: 8 }}>{rows.length > 500 || cut ? t('The first 500 rows are shown.', '처음 500행만 보입니다.') : t(`${f.int(Math.max(0, rows.length - 1))} rows`, `${f.int(Math.max(0, rows.length - 1))}행`)}</p></>;
}
