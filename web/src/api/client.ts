import { QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { components } from './schema';

export type Schemas = components['schemas'];
export const queryClient = new QueryClient({ defaultOptions: { queries: { retry: 1, staleTime: 2000 } } });
/** The newest round trip in milliseconds, for the bar at the foot. */
export const trip = { ms: 0, listeners: new Set<() => void>() };

/** An answer of the API; shapes are described by api/openapi.json. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

export class ApiError extends Error {
  constructor(public status: number, public code: string, message: string, public hint: string, public requestId: string) { super(message); }
}

export async function call(method: string, path: string, body?: unknown): Promise<Json> {
  const began = performance.now();
  const answer = await fetch('/api/v1' + path, { method, headers: body === undefined ? undefined : { 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  trip.ms = performance.now() - began;
  trip.listeners.forEach((f) => f());
  const json = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new ApiError(answer.status, json?.error_code ?? '', json?.message ?? answer.statusText, json?.hint ?? '', json?.request_id ?? '');
  return json;
}

/** A call for a project named by the address. */
export function api<T>(path: string, project: string, options?: { method?: string; body?: unknown }): Promise<T> {
  const named = project === 'default' ? path : path + (path.includes('?') ? '&' : '?') + 'project=' + encodeURIComponent(project);
  return call(options?.method ?? 'GET', named, options?.body) as Promise<T>;
}

/** The newest answer of a path; old data stays while it is asked again. */
export function useApi(path: string, refreshMs = 0) {
  return useQuery<Json, ApiError>({ queryKey: [path], queryFn: () => call('GET', path), refetchInterval: refreshMs || false, placeholderData: (old: Json) => old });
}

/** Asks again for every path that begins with `paths` when the server says something changed. */
export function useLive(topics: string[], paths: string[]) {
  const client = useQueryClient();
  const key = topics.join(',') + '|' + paths.join(',');
  useEffect(() => {
    const source = new EventSource('/api/v1/events?topics=' + encodeURIComponent(topics.join(',')));
    const again = () => { void client.invalidateQueries({ predicate: (q) => paths.some((p) => String(q.queryKey[0]).startsWith(p)) }); };
    topics.forEach((topic) => source.addEventListener(topic, again));
    return () => source.close();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
}

export const enc = encodeURIComponent;
