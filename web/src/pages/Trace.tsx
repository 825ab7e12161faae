import { useParams } from '@tanstack/react-router';
import { ChevronRight } from 'lucide-react';
import { useMemo, useState, type ReactNode } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { ticks } from '../charts/base';
import { useHref, useView } from '../lib/nav';
import { useChanges } from '../lib/runs';
import { pretty, spanEnd, tokensOf, unfolded, type Span, type Trace as TraceT } from '../lib/trace';
import { stateOf, stateWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { Chip } from '../ui/Chip';
import { CopyBtn } from '../ui/CopyBtn';
import { Empty } from '../ui/Empty';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';
import { Tabs } from '../ui/Tabs';
import { tone } from '../ui/status';

type Detail = Schemas['TraceDetail'];
const MOST = 1000; // spans drawn at once

/** One trace: its spans as a tree over time, and what the chosen one took and gave. Asked again when the server tells of a change. */
export function Trace() {
  const { id, trace } = useParams({ strict: false }) as { id: string; trace: string }; const t = useT(); const href = useHref(); const path = `/traces/${encodeURIComponent(trace)}`;
  usePage([[t('Experiments', '실험'), href('experiments')], [id, href('experiments', id)], [t('Traces', '트레이스'), href('experiments', id, 'traces')], [trace.slice(0, 11)]], { cli: '', curl: curl(path) });
  const query = useApi<Detail>(path); useChanges([`trace:${trace}`], () => void query.refetch());
  return <Loaded query={query}>{(d) => <TracePage d={d} experiment={id} />}</Loaded>;
}

function TracePage({ d, experiment }: { d: Detail; experiment: string }) {
  const t = useT(); const f = useFmt(); const href = useHref(); const [get, set] = useView(); const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const tr = d.trace; const tokens = tokensOf(tr); const cur = d.spans.find((s) => s.id === get('span')) ?? d.spans.filter((s) => s.status === 'ERROR').sort((a, b) => b.depth - a.depth)[0] ?? d.spans[0];
  const failed = d.spans.filter((s) => s.status === 'ERROR').length;
  return (
    <div className="page">
      <div className="ph"><div className="grow"><h1>{tr.name || t('Trace', '트레이스')}<Chip s={stateOf(tr.state)}>{stateWord(t, tr.state)}</Chip></h1>
        <div className="meta"><span title={f.iso(tr.start_ms * 1000)}>{f.date(tr.start_ms * 1000)}</span>{tr.duration_ms != null && <span className="num">{f.dur(tr.duration_ms / 1000)}</span>}<span>{t(`${f.int(d.spans.length)} spans`, `스팬 ${f.int(d.spans.length)}개`)}{failed > 0 && <span className="bad"> · {t(`${failed} failed`, `${failed}개 실패`)}</span>}</span>
          {tokens && <span className="num" title={t(`${tokens.input} in, ${tokens.output} out`, `입력 ${tokens.input}, 출력 ${tokens.output}`)}>{t(`${f.int(tokens.total)} tokens`, `토큰 ${f.int(tokens.total)}개`)}</span>}{tr.run_id && <A className="link" to={href('experiments', experiment, 'runs', tr.run_id)}>{t('run', '실행')} {tr.run_id.slice(0, 8)}</A>}{tr.user && <span>{tr.user}</span>}<span className="row gap1"><code>{tr.id}</code><CopyBtn text={tr.id} /></span></div></div></div>
      {d.spans.length ? <div className="tr-split"><Tree spans={d.spans} cur={cur?.id ?? ''} pick={(k) => set({ span: k })} closed={closed} fold={(k) => setClosed((s) => { const n = new Set(s); if (n.has(k)) n.delete(k); else n.add(k); return n; })} />{cur && <SpanPanel s={cur} />}</div>
        : <Panel><Empty title={t('No span is stored here', '저장된 스팬이 없습니다')} text={t('Its sender has told of this trace, but has not sent its spans yet.', '보낸 쪽이 트레이스만 알리고 스팬은 아직 보내지 않았습니다.')} /></Panel>}
      <About tr={tr} />
    </div>
  );
}

function Tree({ spans, cur, pick, closed, fold }: { spans: Span[]; cur: string; pick(id: string): void; closed: ReadonlySet<string>; fold(id: string): void }) {
  const t = useT(); const f = useFmt(); const rows = useMemo(() => unfolded(spans, closed), [spans, closed]); const total = useMemo(() => spanEnd(spans), [spans]); const marks = ticks(0, total, innerWidth <= 720 ? 2 : 4); const pc = (v: number) => `${(v / total) * 100}%`;
  const move = (by: number) => { const i = rows.findIndex((r) => r.id === cur); const next = rows[Math.max(0, Math.min(rows.length - 1, i + by))]; if (next) { pick(next.id); requestAnimationFrame(() => (document.querySelector(`[data-span="${CSS.escape(next.id)}"]`) as HTMLElement | null)?.focus()); } };
  return (
    <Panel flush title={t('Spans', '스팬')} right={<span className="t3 fs12 num">{f.dur(total / 1000)}</span>} className="tr-tree">
      <div className="gantt" style={{ '--gl': 'minmax(150px, 44%)' } as object}><div className="gt-h"><span /><div className="gt-ax">{marks.map((x) => <span key={x} style={{ left: pc(x) }}>{f.dur(x / 1000)}</span>)}</div></div>
        <div className="gt-b" role="tree" aria-label={t('Spans', '스팬')} onKeyDown={(e) => { const s = e.key === 'ArrowDown' || e.key === 'j' ? 1 : e.key === 'ArrowUp' || e.key === 'k' ? -1 : 0; if (s) { e.preventDefault(); move(s); } const open = e.key === 'ArrowRight' ? closed.has(cur) : e.key === 'ArrowLeft' ? !closed.has(cur) : false; if (open) { e.preventDefault(); fold(cur); } }}>
          {rows.slice(0, MOST).map((s) => { const ms = s.duration_ms; return (
            <div key={s.id} role="treeitem" data-span={s.id} aria-level={s.depth + 1} aria-selected={cur === s.id} aria-expanded={s.kids ? !closed.has(s.id) : undefined} tabIndex={cur === s.id ? 0 : -1} className={'gt-r' + (cur === s.id ? ' on' : '')} onClick={() => pick(s.id)}>
              <span className="row" style={{ gap: 5, paddingLeft: Math.min(s.depth, 12) * 13, minWidth: 0 }}>{s.kids ? <span className="fold" onClick={(e) => { e.stopPropagation(); fold(s.id); }}><ChevronRight size={12} style={{ rotate: closed.has(s.id) ? '0deg' : '90deg' }} /></span> : <span style={{ width: 12, flex: 'none' }} />}<StatusIcon s={s.status === 'UNSET' ? 'ok' : stateOf(s.status)} size={12} /><span className="trunc" title={s.name}>{s.name}</span>{typeof s.type === 'string' && s.type !== 'UNKNOWN' && <span className="t3 fs11 nowrap hide-m">{s.type}</span>}</span>
              <span className="gt-t"><i className={'x s-' + tone(s.status === 'UNSET' ? 'ok' : stateOf(s.status))} style={{ left: pc(s.start_ms), width: `max(3px, ${pc(ms ?? total - s.start_ms)})` }} /><em className="num" style={s.start_ms + (ms ?? 0) > total * 0.8 && (ms ?? 0) < total * 0.8 ? { right: `calc(${pc(total - s.start_ms)} + 6px)` } : { left: `calc(${pc(s.start_ms + (ms ?? 0))} + 6px)` }}>{ms == null ? t('running', '실행 중') : f.dur(ms / 1000)}</em></span>
            </div>); })}
          {rows.length > MOST && <p className="t3 fs12 pad14">{t(`The first ${MOST} spans are shown.`, `처음 ${MOST}개 스팬만 보입니다.`)}</p>}
        </div></div>
    </Panel>
  );
}

function Block({ title, value }: { title: string; value: unknown }) {
  const text = value === undefined ? '' : pretty(value);
  return <div className="col" style={{ gap: 5 }}><div className="row"><span className="t3 fs12">{title}</span>{text && <span className="end"><CopyBtn text={text} /></span>}</div>{text ? <pre className="code pre" tabIndex={0} style={{ maxHeight: 260, overflow: 'auto' }}>{text}</pre> : <span className="t3">–</span>}</div>;
}

function SpanPanel({ s }: { s: Span }) {
  const t = useT(); const f = useFmt(); const [get, set] = useView(); const tab = get('part', 'io') as 'io' | 'attributes' | 'events'; const attributes = Object.entries(s.attributes); const events = s.events as { name?: string; at_ms?: number; attributes?: Record<string, unknown> }[];
  const state = s.status === 'UNSET' ? 'OK' : s.status;
  return (
    <Panel className="tr-span" title={<span className="row wrap"><span className="mono trunc" title={s.name}>{s.name}</span><Chip s={stateOf(state)}>{stateWord(t, state)}</Chip></span>} right={<span className="t3 fs12">{[typeof s.type === 'string' && s.type !== 'UNKNOWN' ? s.type : '', s.duration_ms == null ? '' : f.dur(s.duration_ms / 1000)].filter(Boolean).join(' · ')}</span>} flush>
      <div style={{ padding: '0 14px' }}><Tabs label={s.name} value={tab} onChange={(v) => set({ part: v === 'io' ? null : v })} items={[['io', t('In & out', '입출력')], ['attributes', <>{t('Attributes', '속성')} <span className="badge">{attributes.length}</span></>], ['events', <>{t('Events', '이벤트')} <span className="badge">{events.length}</span></>]]} /></div>
      <div className="pad14 col" style={{ gap: 14 }}>
        {s.message && <div className="note n-bad"><StatusIcon s="bad" /><div className="pre" style={{ overflowWrap: 'anywhere' }}>{s.message}</div></div>}
        {tab === 'io' && <><Block title={t('Inputs', '입력')} value={s.inputs} /><Block title={t('Outputs', '출력')} value={s.outputs} /></>}
        {tab === 'attributes' && (attributes.length ? <Pairs rows={attributes.map(([k, v]) => [k, pretty(v)])} /> : <p className="t3">{t('No attribute.', '속성이 없습니다.')}</p>)}
        {tab === 'events' && (events.length ? events.map((e, i) => <div key={i} className="col" style={{ gap: 5 }}><div className="row"><span className="m">{e.name}</span><span className="t3 fs12 num end">+{f.dur((e.at_ms ?? 0) / 1000)}</span></div>{Object.entries(e.attributes ?? {}).map(([k, v]) => <div key={k} className="col" style={{ gap: 3 }}><span className="t3 fs12 mono">{k}</span><pre className="code pre" tabIndex={0} style={{ maxHeight: 220, overflow: 'auto' }}>{pretty(v)}</pre></div>)}</div>) : <p className="t3">{t('No event.', '이벤트가 없습니다.')}</p>)}
      </div>
    </Panel>
  );
}
const Pairs = ({ rows }: { rows: [string, ReactNode][] }) => <div className="tscroll" tabIndex={0}><table className="tb"><tbody>{rows.map(([k, v]) => <tr key={k}><td className="mono fs12 t2" style={{ overflowWrap: 'anywhere', width: '40%' }}>{k}</td><td className="pre fs12" style={{ overflowWrap: 'anywhere' }}>{v}</td></tr>)}</tbody></table></div>;

function About({ tr }: { tr: TraceT }) {
  const t = useT(); const tags = Object.entries(tr.tags as Record<string, string>).filter(([k]) => !k.startsWith('mlflow.')), meta = Object.entries(tr.metadata as Record<string, string>); const judged = (tr.assessments ?? []) as { assessment_name?: string; feedback?: { value?: unknown }; expectation?: { value?: unknown }; rationale?: string }[];
  if (!tags.length && !meta.length && !judged.length) return null;
  return (
    <div className="grid12">
      {judged.length > 0 && <Panel className="c6 m12 top-align" flush title={t('Assessments', '평가')}><Pairs rows={judged.map((a, i) => [a.assessment_name ?? String(i), <>{pretty(a.feedback?.value ?? a.expectation?.value ?? '')}{a.rationale && <span className="t3"> {a.rationale}</span>}</>])} /></Panel>}
      {tags.length > 0 && <Panel className="c6 m12 top-align" flush title={t('Tags', '태그')}><Pairs rows={tags} /></Panel>}
      {meta.length > 0 && <Panel className="c6 m12 top-align" flush title={t('Metadata', '메타데이터')}><Pairs rows={meta} /></Panel>}
    </div>
  );
}
