import { useNavigate } from '@tanstack/react-router';
import { type ApiError, type Json } from '../api/client';
import { DataGrid, type Col } from '../ui/DataGrid';
import { Panel } from '../ui/Panel';
import { Empty, Head, Loaded } from '../ui/State';

type Props = { title: string; meta?: string; query: { data?: Json; error: ApiError | null; isPending: boolean }; rows(data: Json): Json[]; id(row: Json): string; cols: Col<Json>[]; to(id: string): string; empty: { title: string; text: string; command: string }; sort0?: [string, 1 | -1] };

/** A list of objects; a row opens its page. */
export function ListPage({ title, meta, query, rows, id, cols, to, empty, sort0 }: Props) {
  const nav = useNavigate();
  return (
    <div className="page fill"><Head title={title} meta={meta && <span>{meta}</span>} />
      <Loaded query={query}>{(data) => rows(data).length === 0 ? <Panel className="lst"><Empty {...empty} /></Panel> : <Panel flush className="ex-list lst"><DataGrid rows={rows(data)} cols={cols} label={title} id={id} rowH={46} sort0={sort0} onCur={(i) => void nav({ to: to(i) as '/' })} /></Panel>}</Loaded>
    </div>
  );
}
