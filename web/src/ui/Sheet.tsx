import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp, Check } from 'lucide-react';
import { memo, useEffect, useRef, useState, type ReactNode } from 'react';
import { useT } from '../prefs';

export type SheetCol<R> = { id: string; head: ReactNode; title?: string; px: number; r?: boolean; sorts?: boolean; cell(row: R, i: number): ReactNode };
type Props<R> = {
  /** How many rows there are; `row` answers undefined for those that are not here yet. */ count: number; row(i: number): R | undefined; id(row: R): string;
  first: SheetCol<R>; cols: SheetCol<R>[]; label: string; rowH?: number; sort?: [string, 1 | -1]; onSort?(col: string, dir: 1 | -1): void;
  sel?: Set<string>; onSel?(s: Set<string>): void; onOpen?(id: string): void; onRange?(first: number, last: number): void; mark?(row: R): string;
};
const CK = 38;

type RowProps<R> = { r: R | undefined; i: number; top: number; first: SheetCol<R>; cols: SheetCol<R>[]; left: number[]; from: number; to: number; on?: boolean; at: boolean; width: number; w0: number; onTick?(i: number, range: boolean): void; tick: string; extra: string };
function RowOf<R>({ r, i, top, first, cols, left, from, to, on, at, width, w0, onTick, tick, extra }: RowProps<R>) {
  const ck = onTick ? CK : 0; const shown = [];
  for (let c = from; c <= to && c < cols.length; c++) shown.push(<div key={cols[c].id} role="gridcell" aria-colindex={c + 2 + (ck ? 1 : 0)} className={`sc${cols[c].r ? ' r num' : ''}`} style={{ left: left[c], width: cols[c].px }}>{r === undefined ? <i className="blank" /> : cols[c].cell(r, i)}</div>);
  return (
    <div role="row" aria-rowindex={i + 2} aria-selected={on ?? at} data-i={i} className={`srow${at ? ' cur' : ''} ${extra}`} style={{ transform: `translateY(${top}px)`, width }}>
      <div className="s0" style={{ width: w0 + ck, gridTemplateColumns: (ck ? CK + 'px ' : '') + 'minmax(0, 1fr)' }}>
        {onTick && <div role="gridcell" aria-colindex={1} className="ck"><button role="checkbox" tabIndex={-1} aria-checked={!!on} aria-label={tick} className="check" data-state={on ? 'checked' : ''} disabled={r === undefined} onClick={(e) => { e.stopPropagation(); onTick(i, e.shiftKey); }}>{on && <Check size={11} strokeWidth={3} />}</button></div>}
        <div role="gridcell" aria-colindex={ck ? 2 : 1} className="sf">{r === undefined ? <i className="blank" /> : first.cell(r, i)}</div>
      </div>
      {shown}
    </div>
  );
}
const Row = memo(RowOf) as typeof RowOf;

/** Rows and columns both virtual: ten thousand rows of a hundred columns scroll by what is seen. The first column and the head stay. */
export function Sheet<R>({ count, row, id, first, cols, label, rowH = 34, sort, onSort, sel, onSel, onOpen, onRange, mark }: Props<R>) {
  const t = useT(); const box = useRef<HTMLDivElement>(null); const [cur, setCur] = useState(-1); const last = useRef(-1); const [seen, setSeen] = useState(0);
  useEffect(() => { const el = box.current!; setSeen(el.clientWidth); const o = new ResizeObserver(() => setSeen(el.clientWidth)); o.observe(el); return () => o.disconnect(); }, []);
  const ck = onSel ? CK : 0; const w0 = seen && seen < 560 ? Math.min(first.px, 150) : first.px; const fixed = w0 + ck;
  const v = useVirtualizer({ count, getScrollElement: () => box.current, estimateSize: () => rowH, overscan: 6 });
  const h = useVirtualizer({ horizontal: true, count: cols.length, getScrollElement: () => box.current, estimateSize: (i) => cols[i]?.px ?? 100, overscan: 2, paddingStart: fixed });
  const keys = cols.map((c) => c.id + c.px).join();
  useEffect(() => { h.measure(); }, [keys, fixed]); // eslint-disable-line react-hooks/exhaustive-deps
  const rows = v.getVirtualItems(), shown = h.getVirtualItems(); const from = shown[0]?.index ?? 0, to = shown.at(-1)?.index ?? -1;
  const left: number[] = []; let x = fixed; for (const c of cols) { left.push(x); x += c.px; }
  const width = Math.max(x, seen); const a = rows[0]?.index ?? 0, z = rows.at(-1)?.index ?? -1;
  useEffect(() => { if (z >= 0) onRange?.(a, z); }, [a, z, onRange]);
  const live = useRef({ row, id, sel, onSel }); live.current = { row, id, sel, onSel };
  const tick = useRef((i: number, range: boolean) => {
    const now = live.current; const r = now.row(i); if (!r || !now.onSel) return;
    const s = new Set(now.sel); const put = !s.has(now.id(r));
    for (let k = range && last.current >= 0 ? Math.min(last.current, i) : i; k <= (range && last.current >= 0 ? Math.max(last.current, i) : i); k++) { const one = now.row(k); if (one) { if (put) s.add(now.id(one)); else s.delete(now.id(one)); } }
    last.current = i; now.onSel(s);
  }).current;
  const head = (c: SheetCol<R>) => c.sorts && onSort ? <button onClick={() => onSort(c.id, sort?.[0] === c.id ? (sort[1] === 1 ? -1 : 1) : c.r ? -1 : 1)}><span className="trunc">{c.head}</span>{sort?.[0] === c.id && (sort[1] === 1 ? <ArrowUp size={11} /> : <ArrowDown size={11} />)}</button> : <span className="trunc">{c.head}</span>;
  const order = (c: SheetCol<R>) => (sort?.[0] === c.id ? (sort[1] === 1 ? 'ascending' : 'descending') as 'ascending' | 'descending' : undefined);
  return (
    <div className="sheet" ref={box} role="grid" aria-label={label} aria-rowcount={count + 1} aria-colcount={cols.length + 1 + (ck ? 1 : 0)} tabIndex={0} style={{ '--row-h': rowH + 'px' } as object}
      onClick={(e) => { const el = (e.target as HTMLElement).closest('.srow') as HTMLElement | null; if (el) setCur(+el.dataset.i!); }}
      onDoubleClick={(e) => { const el = (e.target as HTMLElement).closest('.srow') as HTMLElement | null; const r = el && row(+el.dataset.i!); if (r) onOpen?.(id(r)); }}
      onKeyDown={(e) => {
        if ((e.target as HTMLElement).tagName === 'BUTTON' && e.key === 'Enter') return;
        const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 20, PageUp: -20, Home: -count, End: count }[e.key] ?? 0;
        if (step && count) { e.preventDefault(); const n = Math.max(0, Math.min(count - 1, cur + step)); setCur(n); v.scrollToIndex(n); }
        const r = cur >= 0 ? row(cur) : undefined;
        if (e.key === 'Enter' && r) onOpen?.(id(r));
        if (e.key === 'x' && r) tick(cur, e.shiftKey);
      }}>
      <div className="sh-r" role="row" aria-rowindex={1} style={{ width }}>
        <div className="s0" style={{ width: fixed, gridTemplateColumns: (ck ? CK + 'px ' : '') + 'minmax(0, 1fr)' }}>{ck > 0 && <div role="columnheader" className="ck" aria-colindex={1}><span className="sr">{t('Select', '선택')}</span></div>}<div role="columnheader" className="sf" aria-colindex={ck ? 2 : 1} aria-sort={order(first)}>{head(first)}</div></div>
        {shown.map((s) => { const c = cols[s.index]; return c && <div key={c.id} role="columnheader" aria-colindex={s.index + 2 + (ck ? 1 : 0)} title={c.title} aria-sort={order(c)} className={`sc${c.r ? ' r' : ''}`} style={{ left: left[s.index], width: c.px }}>{head(c)}</div>; })}
      </div>
      <div role="rowgroup" style={{ height: v.getTotalSize(), width, position: 'relative' }}>
        {rows.map((it) => { const r = row(it.index); const k = r === undefined ? '' : id(r); return <Row key={it.index} r={r} i={it.index} top={it.start} first={first} cols={cols} left={left} from={from} to={to} on={sel && r !== undefined ? sel.has(k) : undefined} at={cur === it.index} width={width} w0={w0} onTick={onSel ? tick : undefined} tick={t('Select', '선택') + ' ' + k} extra={r !== undefined && mark ? mark(r) : ''} />; })}
      </div>
    </div>
  );
}
