import type { CurveView } from '../charts/Curves';
import { useView } from '../lib/nav';
import { useT } from '../prefs';
import { Seg } from './Seg';
import { Slide } from './Slide';

/** How curves are drawn lives in the address. */
export function useCurveView(): CurveView {
  const [get] = useView(); const x = get('x', 'step');
  return { x: x === 'relative' || x === 'wall' ? x : 'step', log: get('y') === 'log', smooth: Math.min(0.98, Math.max(0, +get('smooth', '0') || 0)) };
}
export function CurveTools() {
  const t = useT(); const [, set] = useView(); const v = useCurveView();
  return (
    <div className="tools">
      <Seg label={t('Axis', '가로축')} value={v.x} onChange={(x) => set({ x: x === 'step' ? null : x })} options={[['step', t('step', '단계')], ['relative', t('relative', '경과')], ['wall', t('clock', '시각')]]} />
      <Seg label={t('Scale', '세로축')} value={v.log ? 'log' : 'lin'} onChange={(y) => set({ y: y === 'log' ? y : null })} options={[['lin', t('linear', '선형')], ['log', t('log', '로그')]]} />
      <span className="smooth">{t('smooth', '평활')}<Slide label={t('Smoothing', '평활')} value={Math.round(v.smooth * 100)} max={98} onChange={(s) => set({ smooth: s ? String(s / 100) : null })} /><b className="num" style={{ width: 30 }}>{v.smooth.toFixed(2)}</b></span>
    </div>
  );
}
