import { useEffect, useRef, useState, type ReactNode } from 'react';

/** Mounts its children when they come near the window, and keeps them. */
export function Lazy({ height, children }: { height: number; children(): ReactNode }) {
  const box = useRef<HTMLDivElement>(null); const [near, setNear] = useState(false);
  useEffect(() => { if (near) return; const o = new IntersectionObserver((e) => { if (e.some((x) => x.isIntersecting)) setNear(true); }, { rootMargin: '300px' }); o.observe(box.current!); return () => o.disconnect(); }, [near]);
  return <div ref={box} style={{ minHeight: height }}>{near && children()}</div>;
}
