import { useLocation, useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import { useProject } from '../api/use';

/** Address of a place in this project: href('data', 'flights') is /p/default/data/flights. */
export function useHref() {
  const project = useProject();
  return useCallback((...parts: (string | number)[]) => ['/p', encodeURIComponent(project), ...parts.map((x) => encodeURIComponent(String(x)))].join('/'), [project]);
}

/** View state lives in the query, so that a link is a saved view. */
export function useView(): [(key: string, fallback?: string) => string, (change: Record<string, string | null>) => void] {
  const nav = useNavigate(); const loc = useLocation();
  const search = loc.search as Record<string, unknown>;
  const get = (key: string, fallback = '') => (search[key] == null ? fallback : String(search[key]));
  const set = (change: Record<string, string | null>) => {
    const next: Record<string, unknown> = { ...search };
    for (const [k, v] of Object.entries(change)) { if (v == null || v === '') delete next[k]; else next[k] = v; }
    void nav({ to: '.', search: next as never, replace: true });
  };
  return [get, set];
}
