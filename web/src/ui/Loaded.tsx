import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ErrorNote } from './ErrorNote';
import { Skeleton } from './Skeleton';

/** Skeleton, error card, or the page; the last good data stays below an error. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T, Error>; children(data: T): ReactNode }) {
  if (query.data === undefined) return query.error ? <div className="page"><h1 className="sr">{query.error.message}</h1><ErrorNote error={query.error} retry={() => void query.refetch()} /></div> : <Skeleton />;
  return <>{query.error && <div className="page" style={{ paddingBottom: 0 }}><ErrorNote error={query.error} retry={() => void query.refetch()} /></div>}{children(query.data)}</>;
}
