import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';
import { useFmt, useT } from '../prefs';
import { CloudOff } from 'lucide-react';
import { ErrorNote } from './ErrorNote';
import { Skeleton } from './Skeleton';

/** The server is away: said once, calmly; the last answers stay and every query keeps asking. */
function Away({ since }: { since: number }) {
  const t = useT(); const f = useFmt();
  return <div className="away" role="status" data-testid="away"><CloudOff size={14} />{t(`The server does not answer. Showing ${f.clock(since * 1000)}; trying again.`, `서버가 응답하지 않습니다. ${f.clock(since * 1000)}의 내용이며, 다시 연결하는 중입니다.`)}</div>;
}

/** Skeleton, error card, or the page; the last good data stays below an error. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T, Error>; children(data: T): ReactNode }) {
  if (query.data === undefined) return query.error ? <div className="page"><h1 className="sr">{query.error.message}</h1><ErrorNote error={query.error} retry={() => void query.refetch()} /></div> : <Skeleton />;
  const away = query.error instanceof ApiError && (query.error.status === 0 || query.error.status === 502 || query.error.status === 503);
  return <>{away ? <Away since={query.dataUpdatedAt} /> : query.error && <div className="page" style={{ paddingBottom: 0 }}><ErrorNote error={query.error} retry={() => void query.refetch()} /></div>}{children(query.data)}</>;
}
