import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { api } from './client';

/** The project named by the address. */
export function useProject(): string {
  const p = useParams({ strict: false }) as { project?: string };
  return p.project ?? 'default';
}

/** One GET of the API; the path is the key. `live` refetches every that many milliseconds while the page is seen. */
export function useApi<T>(path: string | null, options?: { live?: number; keep?: boolean }) {
  const project = useProject();
  return useQuery<T>({
    queryKey: [project, path], enabled: path != null, queryFn: () => api<T>(path!, project),
    refetchInterval: options?.live, placeholderData: options?.keep ? keepPreviousData : undefined,
  });
}

/** A change; afterwards everything of the project is asked again. `dry`: nothing changed, so nothing is asked again. */
export function useChange<T, V = void>(call: (v: V) => { path: string; method: string; body?: unknown; raw?: Blob }, options?: { dry?: boolean }) {
  const project = useProject(); const client = useQueryClient();
  return useMutation<T, Error, V>({
    mutationFn: (v) => { const c = call(v); return api<T>(c.path, project, c); },
    onSuccess: () => (options?.dry ? undefined : client.invalidateQueries({ queryKey: [project] })),
  });
}
