import { useNavigate } from '@tanstack/react-router';
import { useHref } from '../lib/nav';
import { useT } from '../prefs';
import { Seg } from './Seg';

/** The two lists of an experiment. */
export function RunsOrTraces({ name, at }: { name: string; at: 'runs' | 'traces' }) {
  const t = useT(); const href = useHref(); const nav = useNavigate();
  return <Seg label={t('What is listed', '목록')} value={at} onChange={(v) => void nav({ to: (v === 'runs' ? href('experiments', name) : href('experiments', name, 'traces')) as '/' })} options={[['runs', t('Runs', '실행')], ['traces', t('Traces', '트레이스')]]} />;
}
