import { useFmt, useT } from '../prefs';
import { StatusIcon } from '../ui/StatusIcon';
import { tone } from '../ui/status';
import { ticks } from './base';
import type { Task } from './Dag';

/** Each bar in three tones: queued, hand-over, running. The hand-over is what other engines hide. */
export function Gantt({ tasks, cur, onCur, now, total }: { tasks: Task[]; cur: string; onCur(id: string): void; now: number | null; total: number }) {
  const t = useT(); const f = useFmt(); const marks = ticks(0, total, innerWidth <= 720 ? 3 : 5);
  const pc = (v: number) => (v / total) * 100 + '%';
  return (
    <div className="gantt" role="group" aria-label={t('Timeline', '시간표')}>
      <div className="gt-h"><span />{<div className="gt-ax">{marks.map((x) => <span key={x} style={{ left: pc(x) }}>{f.dur(x)}</span>)}</div>}</div>
      <div className="gt-b">
        <div className="gt-grid" aria-hidden>{marks.map((x) => <i key={x} style={{ left: pc(x) }} />)}{now != null && <i className="now" style={{ left: pc(now) }} />}</div>
        {tasks.map((k) => (
          <button key={k.id} className={'gt-r' + (cur === k.id ? ' on' : '')} onClick={() => onCur(k.id)}>
            <span className="row gap1" style={{ gap: 6 }}><StatusIcon s={k.s} size={12} /><span className="trunc">{k.id}</span></span>
            <span className="gt-t">{k.st >= 0 && (k.d > 0 || k.s === 'run' || k.s === 'ok' || k.s === 'cached') ? <><i className="q" style={{ left: pc(k.q), width: pc(k.st - k.q) }} /><i className={'x s-' + tone(k.s) + ' ' + k.s} style={{ left: pc(k.st), width: `max(3px, ${pc(k.d)})` }} /><em className="num" style={{ left: `calc(${pc(k.st + k.d)} + 6px)` }}>{f.dur(k.d)}{k.attempt ? ` · ${t('try', '시도')} ${k.attempt}` : ''}</em></> : <em style={{ left: 4 }}>{k.s === 'wait' ? t('waits', '대기') : ''}</em>}</span>
          </button>
        ))}
      </div>
    </div>
  );
}
