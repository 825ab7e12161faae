import { Filter } from 'lucide-react';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useView } from '../lib/nav';
import { matches } from '../lib/match';
import { useT } from '../prefs';
import { DataGrid, type Col } from './DataGrid';
import { Panel } from './Panel';

/** A list of objects: title, filter kept in the address, table whose rows open the object. */
export function ListPage<R>({ title, meta, acts, rows, cols, id, to, text, empty, rowH = 46 }: { title: string; meta: ReactNode; acts?: ReactNode; rows: R[]; cols: Col<R>[]; id(r: R): string; to(r: R): string; text?(r: R): string; empty: ReactNode; rowH?: number }) {
  const t = useT(); const nav = useNavigate(); const [get, set] = useView(); const q = get('q');
  const shown = rows.filter((r) => matches(text ? text(r) : id(r), q));
  const open = (k: string) => { const r = rows.find((x) => id(x) === k); if (r) void nav({ to: to(r) as '/' }); };
  return (
    <div className="page fill"><div className="ph"><div className="grow"><h1>{title}</h1><div className="meta">{meta}</div></div>{acts && <div className="acts">{acts}</div>}</div>
      {rows.length > 0 && <label className="filter" style={{ flex: 'none' }}><Filter size={13} /><span className="sr">{t('Filter', '거르기')}</span><input value={q} placeholder={t('Filter by name', '이름으로 거르기')} onChange={(e) => set({ q: e.target.value })} /><kbd>F</kbd></label>}
      <Panel flush className="ex-list lst">{rows.length ? <DataGrid rows={shown} cols={cols} label={title} id={id} rowH={rowH} onPick={open} onOpen={open} /> : empty}</Panel>
    </div>
  );
}
