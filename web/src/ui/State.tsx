import { XCircle } from 'lucide-react';
import { type ReactNode } from 'react';
import { type ApiError } from '../api/client';
import { useT } from '../prefs';
import { CopyBtn } from './CopyBtn';

/** What went wrong, what to do, and the code to quote. */
export function Failure({ error }: { error: ApiError }) {
  const t = useT();
  return (
    <div className="note n-bad" role="alert"><XCircle size={16} className="bad" />
      <div className="grow col" style={{ gap: 5 }}>
        <div className="b">{error.message}</div>
        {error.hint && <div className="t2 fs12">{error.hint}</div>}
        <code className="fs12 t2">{error.status} {error.code} {error.requestId && t('request', '요청') + ' ' + error.requestId}</code>
      </div>
    </div>
  );
}

/** An empty place says what it is and the command that fills it. */
export function Empty({ title, text, command }: { title: string; text: string; command: string }) {
  return (
    <div className="empty"><div className="b fs14">{title}</div><p className="t2">{text}</p>
      <div className="code row" style={{ padding: '4px 4px 4px 12px' }}>{command}<CopyBtn text={command} /></div>
    </div>
  );
}

/** Skeleton, failure or content; the last good content stays while something is asked again. */
export function Loaded<D>({ query, children }: { query: { data?: D; error: ApiError | null; isPending: boolean }; children(data: D): ReactNode }) {
  const t = useT();
  if (query.error && !query.data) return <Failure error={query.error} />;
  if (!query.data) return <div className="skl" role="status" aria-label={t('Loading', '불러오는 중')}>{Array.from({ length: 5 }, (_, i) => <div key={i}><i style={{ width: 120 + (i * 37) % 90 }} /><i style={{ width: 84 }} /><i style={{ width: 130 }} /></div>)}</div>;
  return <>{query.error && <Failure error={query.error} />}{children(query.data)}</>;
}

export function Head({ title, meta, acts }: { title: ReactNode; meta?: ReactNode; acts?: ReactNode }) {
  return <div className="ph"><div className="grow"><h1>{title}</h1>{meta && <div className="meta">{meta}</div>}</div>{acts && <div className="acts">{acts}</div>}</div>;
}
