import { Activity, Boxes, Database, FlaskConical, Home, Radio, Workflow } from 'lucide-react';
import { useMemo } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { useT } from '../prefs';

export type Place = { to: string; icon: typeof Home; l: string; k: string; badge?: readonly ['bad' | 'warn' | 'run', number]; count?: number };

/** The places of a project in life-cycle order; a badge counts what needs a person. */
export function usePlaces(): Place[] {
  const t = useT(); const href = useHref();
  const s = useApi<Schemas['Status']>('/status').data;
  return useMemo(() => {
    const blocked = s?.datasets.filter((d) => (d.errors ?? 0) > 0).length ?? 0;
    const running = s?.stages.some((x) => x.state === 'run') ? 1 : 0;
    const gates = s?.inbox.filter((x) => x.kind === 'gate').length ?? 0;
    const alerts = s?.inbox.filter((x) => x.kind === 'alert').length ?? 0;
    const failed = s?.inbox.filter((x) => x.kind === 'failed_run' || x.kind === 'blocked_data').length ?? 0;
    return [
      { to: href(), icon: Home, l: t('Home', '홈'), k: 'h' },
      { to: href('data'), icon: Database, l: t('Data', '데이터'), k: 'd', badge: blocked ? ['bad', blocked] as const : undefined },
      { to: href('pipelines'), icon: Workflow, l: t('Pipelines', '파이프라인'), k: 'p', badge: failed ? ['bad', failed] as const : running ? ['run', running] as const : undefined },
      { to: href('experiments'), icon: FlaskConical, l: t('Experiments', '실험'), k: 'e' },
      { to: href('models'), icon: Boxes, l: t('Models', '모델'), k: 'm', badge: gates ? ['warn', gates] as const : undefined, count: s?.models.length || undefined },
      { to: href('endpoints'), icon: Radio, l: t('Endpoints', '엔드포인트'), k: 's', count: s?.endpoints.length || undefined },
      { to: href('monitor'), icon: Activity, l: t('Monitor', '모니터'), k: 'o', badge: alerts ? ['warn', alerts] as const : undefined },
    ];
  }, [t, href, s]);
}
