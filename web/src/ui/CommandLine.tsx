import { useState, useSyncExternalStore } from 'react';
import { trip, type Schemas } from '../api/client';
import { useLiveState } from '../api/live';
import { useApi } from '../api/use';
import { useFmt, useT } from '../prefs';
import { CopyBtn } from './CopyBtn';
import type { Commands } from './page';

const subscribe = (f: () => void) => { trip.listeners.add(f); return () => { trip.listeners.delete(f); }; };

/** The bar at the foot: the command that gives the same view, and the state of the connection. */
export function CommandLine({ cmd }: { cmd: Commands }) {
  const t = useT(); const f = useFmt(); const live = useLiveState(); const ms = useSyncExternalStore(subscribe, () => trip.ms);
  const [form, setForm] = useState<keyof Commands>('cli');
  const server = useApi<Schemas['Status']>('/status').data?.server;
  const text = cmd[form] || cmd.cli || cmd.curl || '';
  const forms: [keyof Commands, string][] = [['cli', 'CLI'], ['curl', 'curl'], ['py', 'Python']];
  return (
    <footer className="foot">
      <span className="segmini" role="group" aria-label={t('Show this page as', '이 화면을 명령으로')}>{forms.filter(([k]) => cmd[k]).map(([k, l]) => <button key={k} aria-pressed={form === k || !cmd[form]} onClick={() => setForm(k)}>{l}</button>)}</span>
      <span className="cmd"><span className="p">$ </span>{text.split(' ').map((w, i) => (i < 1 ? <b key={i}>{w} </b> : w + ' '))}</span><CopyBtn text={text} />
      <span className="fstat">
        <span className="row" style={{ gap: 7 }}>{live === 'live' ? <><span className="pulse" />{t('live', '실시간')}</> : live === 'reconnecting' ? <span className="warn">{t('reconnecting', '다시 연결 중')}</span> : null}</span>
        <span>{ms < 1 ? '<1 ms' : `${Math.round(ms)} ms`}</span>{server && <span className="hide-m">{t('up', '가동')} {f.dur(server.uptime_s)}</span>}{server && <span className="mono" style={{ fontSize: 11 }}>maru {server.version}</span>}
      </span>
    </footer>
  );
}
