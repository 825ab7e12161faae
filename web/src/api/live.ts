import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { queryClient } from './client';
import { useProject } from './use';

type Listener = (topic: string, data: unknown) => void;
const wanted = new Map<string, number>();
const listeners = new Set<Listener>();
const stateListeners = new Set<() => void>();
let source: EventSource | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let heard = new Set<string>(); // the topics of the source that is open
let state: 'off' | 'live' | 'reconnecting' = 'off';

function setState(s: typeof state) { if (s !== state) { state = s; stateListeners.forEach((f) => f()); } }

/** One EventSource for the whole page; it is opened anew when the set of topics changes. */
function reopen() { clearTimeout(timer); timer = setTimeout(connect, 150); }
function connect() {
  source?.close(); source = null;
  const topics = [...wanted.keys()];
  if (!topics.length || document.hidden) { setState('off'); return; }
  source = new EventSource(`/api/v1/events?topics=${encodeURIComponent(topics.join(','))}`);
  source.onopen = () => {
    const back = state === 'reconnecting'; setState('live'); if (back) void queryClient.invalidateQueries();
    const fresh = topics.filter((t) => !heard.has(t)); heard = new Set(topics);
    for (const t of fresh) listeners.forEach((f) => f(t, null)); // what happened between the page's question and now was not heard
  };
  source.onerror = () => { setState('reconnecting'); if (source?.readyState === EventSource.CLOSED) { clearTimeout(timer); timer = setTimeout(connect, 3000); } };
  for (const topic of topics) {
    source.addEventListener(topic, (e) => {
      let data: unknown = null;
      try { data = JSON.parse((e as MessageEvent).data); } catch { return; }
      listeners.forEach((f) => f(topic, data));
    });
  }
}
addEventListener('visibilitychange', reopen);

export function useLiveState() {
  return useSyncExternalStore((f) => { stateListeners.add(f); return () => stateListeners.delete(f); }, () => state);
}

/** Listens to topics while mounted; data is null once when listening begins. Without `on`, everything asked from the server for this project is asked again. */
export function useTopics(topics: string[], on?: Listener) {
  const client = useQueryClient(); const project = useProject(); const key = topics.join(',');
  useEffect(() => {
    const mine = key ? key.split(',') : [];
    if (!mine.length) return;
    mine.forEach((t) => wanted.set(t, (wanted.get(t) ?? 0) + 1));
    let last = 0; let late: ReturnType<typeof setTimeout> | undefined;
    const refetch = () => { last = Date.now(); void client.invalidateQueries({ queryKey: [project] }); };
    const listener: Listener = (topic, data) => {
      if (!mine.includes(topic)) return;
      if (on) { on(topic, data); return; }
      if (data == null) return;
      clearTimeout(late);
      if (Date.now() - last > 1500) refetch(); else late = setTimeout(refetch, 1500);
    };
    listeners.add(listener); reopen();
    return () => {
      listeners.delete(listener); clearTimeout(late);
      mine.forEach((t) => { const n = (wanted.get(t) ?? 1) - 1; if (n) wanted.set(t, n); else wanted.delete(t); });
      reopen();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, project, client]);
}
