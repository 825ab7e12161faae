import { QueryClient } from '@tanstack/react-query';
import type { components } from './schema';

export type Schemas = components['schemas'];

/** What the server said when it refused; drawn by ErrorNote. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly hint: string, readonly requestId: string) { super(message); }
}

export const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 4000, retry: (n, e) => n < 2 && !(e instanceof ApiError && e.status > 0 && e.status < 500) } },
});

/** The last round trip in milliseconds, for the command line bar. */
export const trip = { ms: 0, listeners: new Set<() => void>() };

export async function api<T>(path: string, project: string, init?: { method?: string; body?: unknown; raw?: Blob }): Promise<T> {
  const url = `/api/v1${path}${path.includes('?') ? '&' : '?'}project=${encodeURIComponent(project)}`;
  const began = performance.now();
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: init?.method ?? 'GET',
      headers: init?.raw ? { 'Content-Type': 'application/octet-stream' } : init?.body !== undefined ? { 'Content-Type': 'application/json' } : undefined,
      body: init?.raw ?? (init?.body !== undefined ? JSON.stringify(init.body) : undefined),
    });
  } catch (e) {
    throw new ApiError(0, 'UNREACHABLE', (e as Error).message, '', '');
  }
  const text = await answer.text();
  if (!init?.method) { trip.ms = performance.now() - began; trip.listeners.forEach((f) => f()); }
  let json: unknown = null;
  try { json = text ? JSON.parse(text) : null; } catch { /* an answer that is not JSON is shown as text below */ }
  if (!answer.ok) {
    const e = (json ?? {}) as Partial<Schemas['Error']>;
    throw new ApiError(answer.status, e.error_code ?? `HTTP_${answer.status}`, e.message ?? (text.slice(0, 200) || answer.statusText), e.hint ?? '', e.request_id ?? '');
  }
  return json as T;
}

/** Sends a file and tells the share that has left; the browser tells it only of this kind of request. */
export function upload<T>(path: string, project: string, file: File, sent: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', `/api/v1${path}${path.includes('?') ? '&' : '?'}project=${encodeURIComponent(project)}`);
    x.setRequestHeader('Content-Type', 'application/octet-stream');
    x.upload.onprogress = (e) => e.lengthComputable && sent(e.loaded / e.total);
    x.onerror = () => reject(new ApiError(0, 'UNREACHABLE', 'the connection broke off', '', ''));
    x.onload = () => {
      let json: unknown = null;
      try { json = JSON.parse(x.responseText); } catch { /* shown as text below */ }
      if (x.status < 400 && json) { resolve(json as T); return; }
      const e = (json ?? {}) as Partial<Schemas['Error']>;
      reject(new ApiError(x.status, e.error_code ?? `HTTP_${x.status}`, e.message ?? (x.responseText.slice(0, 200) || x.statusText), e.hint ?? '', e.request_id ?? ''));
    };
    x.send(file);
  });
}

/** A number that may travel as "NaN" or "Infinity", or not be known. */
export function num(v: unknown): number | null {
  return typeof v === 'number' && Number.isFinite(v) ? v : null;
}
