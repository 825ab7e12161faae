import dagre from '@dagrejs/dagre';
import { Maximize2, Minus, Plus } from 'lucide-react';
import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { useT } from '../prefs';
import { StatusIcon } from '../ui/StatusIcon';
import { tone, useStatusWord, type Status } from '../ui/status';

export type Task = { id: string; s: Status; sub: string; p?: number; deps: string[]; group?: string; q: number; st: number; d: number; attempt?: number };
const H = 46;
/** Wide enough for the name, within limits. */
const wide = (id: string) => Math.max(122, Math.min(190, 48 + id.length * 7.2));

/** HTML nodes over one SVG of edges. Layout by dagre; arrow keys walk the graph; the same order is read out as a list. */
export function Dag({ tasks, cur, onCur, height: h0 = 250 }: { tasks: Task[]; cur: string; onCur(id: string): void; height?: number }) {
  const narrow = innerWidth <= 720, height = narrow ? 430 : h0;
  const t = useT(); const word = useStatusWord();
  const g = useMemo(() => {
    const g = new dagre.graphlib.Graph(); g.setGraph({ rankdir: narrow ? 'TB' : 'LR', nodesep: 12, ranksep: 22, marginx: 6, marginy: 6 }); g.setDefaultEdgeLabel(() => ({}));
    tasks.forEach((k) => g.setNode(k.id, { width: wide(k.id), height: H })); tasks.forEach((k) => k.deps.forEach((d) => g.setEdge(d, k.id, { weight: k.deps.length === 1 ? 4 : 1 }))); dagre.layout(g); return g;
  }, [tasks, narrow]);
  const gw = g.graph().width ?? 100, gh = g.graph().height ?? 100;
  const box = useRef<HTMLDivElement>(null); const [z, setZ] = useState(1); const [o, setO] = useState({ x: 0, y: 0 });
  const fit = () => { const b = box.current!, w = b.clientWidth; const k = Math.min(1, Math.max(narrow ? 0.5 : 0.78, Math.min((w - 16) / gw, (b.clientHeight - 16) / gh))); const c = g.node(cur) as unknown as { x: number }; const x = gw * k <= w ? (w - gw * k) / 2 : Math.max(w - gw * k - 8, Math.min(8, w * 0.6 - c.x * k)); setZ(k); setO({ x, y: Math.max(8, (b.clientHeight - gh * k) / 2) }); };
  useLayoutEffect(() => { fit(); const r = new ResizeObserver(fit); r.observe(box.current!); return () => r.disconnect(); }, [gw, gh]);
  const pos = (id: string) => g.node(id) as unknown as { x: number; y: number };
  const by = Object.fromEntries(tasks.map((k) => [k.id, k]));
  const step = (dx: number, dy: number) => { const p = pos(cur); const c = tasks.filter((k) => k.id !== cur).map((k) => ({ k, x: pos(k.id).x - p.x, y: pos(k.id).y - p.y })).filter((c) => (dx ? c.x * dx > 20 : Math.abs(c.x) < 20 && c.y * dy > 5)).sort((a, b) => Math.hypot(a.x, a.y * 1.5) - Math.hypot(b.x, b.y * 1.5)); if (c[0]) { onCur(c[0].k.id); (box.current!.querySelector(`[data-id="${c[0].k.id}"]`) as HTMLElement)?.focus(); } };
  return (
    <div className="dag" ref={box} style={{ height }} role="group" aria-label={t('Task graph; arrow keys move between tasks', '작업 그래프, 화살표 키로 이동')}
      onKeyDown={(e) => { const m = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[e.key]; if (m) { e.preventDefault(); step(m[0], m[1]); } }}
      onPointerDown={(e) => { if ((e.target as HTMLElement).closest('button')) return; const s = { x: e.clientX - o.x, y: e.clientY - o.y }; const mv = (v: PointerEvent) => setO({ x: v.clientX - s.x, y: v.clientY - s.y }); addEventListener('pointermove', mv); addEventListener('pointerup', () => removeEventListener('pointermove', mv), { once: true }); }}>
      <div style={{ transform: `translate(${o.x}px, ${o.y}px) scale(${z})`, transformOrigin: '0 0', position: 'absolute', left: 0, top: 0 }}>
        <svg width={gw} height={gh} style={{ position: 'absolute', overflow: 'visible', left: 0, top: 0 }} aria-hidden>
          {tasks.flatMap((k) => k.deps.map((d) => { const a = pos(d), b = pos(k.id), x0 = a.x + wide(d) / 2, x1 = b.x - wide(k.id) / 2, m = Math.max(16, (x1 - x0) * 0.5); const live = k.s === 'run'; const done = by[d].s === 'ok' || by[d].s === 'cached'; const y0 = a.y + H / 2, y1 = b.y - H / 2; const path = narrow ? `M${a.x} ${y0}C${a.x} ${y0 + 14} ${b.x} ${y1 - 14} ${b.x} ${y1}` : `M${x0} ${a.y}C${x0 + m} ${a.y} ${x1 - m} ${b.y} ${x1} ${b.y}`; return <path key={d + k.id} d={path} fill="none" className={live ? 'edge live' : 'edge'} stroke={live ? 'var(--run-fill)' : by[d].s === 'bad' ? 'var(--bad-fill)' : done ? 'var(--line-2)' : 'var(--line-2)'} strokeDasharray={!done && !live ? '3 4' : undefined} strokeWidth={cur === d || cur === k.id ? 2.2 : 1.4} />; }))}
        </svg>
        {tasks.map((k) => { const p = pos(k.id); return (
          <button key={k.id} data-id={k.id} className={`node s-${tone(k.s)} ${k.s}`} aria-pressed={cur === k.id} tabIndex={cur === k.id ? 0 : -1} onClick={() => onCur(k.id)} style={{ left: p.x - wide(k.id) / 2, top: p.y - H / 2, width: wide(k.id), height: H }}>
            <StatusIcon s={k.s} size={15} /><span className="col grow" style={{ gap: 0 }}><span className="m trunc">{k.id}<span className="sr">, {word(k.s)}, </span></span><span className="t3 trunc num" style={{ fontSize: 11.5 }}>{k.sub}</span></span>
            {k.p != null && <i className="np"><b style={{ width: k.p * 100 + '%' }} /></i>}
          </button>); })}
      </div>
      <div className="dagz"><button className="btn icon sm" aria-label={t('Zoom in', '확대')} onClick={() => setZ(Math.min(1.6, z * 1.2))}><Plus size={13} /></button><button className="btn icon sm" aria-label={t('Zoom out', '축소')} onClick={() => setZ(Math.max(0.3, z / 1.2))}><Minus size={13} /></button><button className="btn icon sm" aria-label={t('Fit', '맞춤')} onClick={fit}><Maximize2 size={12} /></button></div>
    </div>
  );
}
