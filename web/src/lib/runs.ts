import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { api, type Schemas } from '../api/client';
import { useTopics } from '../api/live';
import { useApi, useProject } from '../api/use';

export type RunRow = Schemas['ExperimentRun'];
type Page = Schemas['ExperimentRuns'];
export const PAGE = 100;

/** Runs by their place in the whole list; pages are asked for as they are seen, and again after a change. `path` holds filter, order and columns. */
export function useRunRows(path: string, range: [number, number]) {
  const project = useProject(); const client = useQueryClient(); const kept = useRef(new Map<number, RunRow[]>()); const [, draw] = useState(0); const [asked, setAsked] = useState<[number, number]>([0, 0]);
  const first = useQuery<Page>({ queryKey: [project, 'rows', path, 0], queryFn: () => api<Page>(`${path}&limit=${PAGE}&offset=0`, project), placeholderData: (old) => old });
  const fresh = useRef(path); if (fresh.current !== path && !first.isPlaceholderData) { fresh.current = path; kept.current = new Map(); }
  if (first.data && !first.isPlaceholderData) kept.current.set(0, first.data.runs);
  // Scrolling past does not ask; resting for a moment does.
  useEffect(() => { const id = setTimeout(() => setAsked([Math.floor(range[0] / PAGE), Math.floor(range[1] / PAGE)]), 60); return () => clearTimeout(id); }, [range]);
  const stamp = first.dataUpdatedAt;
  useEffect(() => {
    let on = true;
    for (let p = Math.max(1, asked[0]); p <= asked[1]; p++) void client.fetchQuery<Page>({ queryKey: [project, 'rows', path, p], queryFn: () => api<Page>(`${path}&limit=${PAGE}&offset=${p * PAGE}`, project), staleTime: 4000 }).then((d) => { if (on) { kept.current.set(p, d.runs); draw((n) => n + 1); } }).catch(() => undefined);
    return () => { on = false; };
  }, [asked, path, project, client, stamp]);
  const row = useCallback((i: number) => kept.current.get(Math.floor(i / PAGE))?.[i % PAGE], []);
  const loaded = useMemo(() => () => [...kept.current.values()].flat(), []);
  return { first, row, loaded };
}

/** Calls `again` when a topic tells a change or listening begins, and once more shortly after: the server tells only the first of a burst. */
export function useChanges(topics: string[], again: () => void) {
  const late = useRef<ReturnType<typeof setTimeout>>(undefined); const last = useRef(0); const run = useRef(again); run.current = again;
  useTopics(topics, (_topic, data) => {
    if (data == null || Date.now() - last.current > 1000) { last.current = Date.now(); run.current(); }
    clearTimeout(late.current); late.current = setTimeout(() => { last.current = Date.now(); run.current(); }, 1000);
  });
  useEffect(() => () => clearTimeout(late.current), []);
}

export const runName = (r: { name: string; id: string }) => r.name || r.id.slice(0, 8);
/** What is worth a column when nobody chose: qualities first, then what there is. */
export function pickDefault(metrics: string[], params: string[]): string[] {
  const want = ['roc_auc', 'test_roc_auc', 'valid', 'valid_roc_auc', 'log_loss', 'rmse', 'mae', 'accuracy', 'f1', 'loss', 'val_loss'].filter((k) => metrics.includes(k));
  return [...(want.length ? want : metrics).slice(0, 4).map((m) => 'm:' + m), ...params.slice(0, 3).map((p) => 'p:' + p)];
}
export const fieldOf = (col: string) => ({ 'm:': 'metrics.', 'p:': 'params.', 't:': 'tags.' })[col.slice(0, 2)] + col.slice(2);
export const sortOf = (col: string) => ({ 'm:': 'metric:', 'p:': 'param:', 't:': 'tag:' })[col.slice(0, 2)] + col.slice(2);
export const artifactUrl = (run: string, path: string, project: string) => `/api/v1/experiment-runs/${run}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}?project=${encodeURIComponent(project)}`;

/** What names an experiment in a path of the API: its name, or its id where the name holds a slash. Undefined until that is known. */
export function useExperimentKey(name: string): { key: string | undefined; error: Error | null } {
  const deep = name.includes('/'); const q = useApi<{ id: string }>(deep ? `/experiments/by-name?name=${encodeURIComponent(name)}` : null);
  return deep ? { key: q.data?.id, error: q.error } : { key: name, error: null };
}
