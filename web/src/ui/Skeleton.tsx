import { useEffect, useState } from 'react';
import { useT } from '../prefs';

/** The page's boxes, after 120 ms, so that a fast answer shows no flicker. */
export function Skeleton() {
  const t = useT(); const [show, set] = useState(false);
  useEffect(() => { const id = setTimeout(() => set(true), 120); return () => clearTimeout(id); }, []);
  return <div className="page"><div className="sk-page" role="status" aria-label={t('Loading', '불러오는 중')}>{show && <><i /><i /><i /></>}</div></div>;
}
