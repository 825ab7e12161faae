import { type ReactNode } from 'react';
import { tone } from './status';

export function Stat({ k, v, unit, d, tone: tn }: { k: ReactNode; v: ReactNode; unit?: string; d?: ReactNode; tone?: string }) {
  return <div className="stat"><div className="k">{k}</div><div className={'v ' + (tn ?? '')}>{v}{unit && <small> {unit}</small>}</div>{d && <div className="d">{d}</div>}</div>;
}
