import { Plus } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Modal } from '../ui/Modal';

const quoted = (text: string) => (/^[\w@.:/,-]+$/.test(text) ? text : `'${text}'`);

/** Asks where events come from and where they go; shows the command that does the same. */
export function StreamDialog({ close }: { close(): void }) {
  const t = useT();
  const [ask, setAsk] = useState({ kind: 'push', place: '', name: '', dataset: '', format: 'json', columns: '', every: '5', key: '', time: '', strict: false });
  const set = (change: Partial<typeof ask>) => setAsk({ ...ask, ...change });
  const address = ask.kind === 'push' ? 'push' : `${ask.kind}://${ask.place.trim()}`;
  const columns = ask.columns.split(',').map((x) => x.trim()).filter(Boolean).map((x) => { const [name = '', type] = x.split(':'); return { name, ...(type ? { type } : {}) }; });
  const body = { name: ask.name, address, ...(ask.dataset ? { dataset: ask.dataset } : {}), format: ask.format, ...(columns.length ? { columns } : {}), batch_seconds: Number(ask.every), event_key: ask.key, event_time: ask.time, on_change: ask.strict ? 'dead' : 'widen' };
  const act = useChange<Schemas['Stream']>(() => ({ path: '/streams', method: 'POST', body }));
  const words = ['maru', 'stream', 'add', ask.name || 'NAME', ...(address === 'push' ? [] : [address]), ...(ask.dataset ? ['--dataset', ask.dataset] : []), ...(ask.format === 'csv' ? ['--format', 'csv'] : []), ...(ask.columns ? ['--columns', ask.columns] : []), ...(ask.every !== '5' ? ['--every', `${ask.every}s`] : []), ...(ask.key ? ['--event-key', ask.key] : []), ...(ask.time ? ['--event-time', ask.time] : []), ...(ask.strict ? ['--on-change', 'dead'] : [])];
  const title = t('Add a stream', '스트림 추가');
  const field = (id: string, label: string, key: 'place' | 'name' | 'dataset' | 'columns' | 'key' | 'time', more: { required?: boolean; pattern?: string; placeholder?: string }) => <div className="field"><label htmlFor={id}>{label}</label><input id={id} className="input m" value={ask[key]} onChange={(e) => set({ [key]: e.target.value })} {...more} /></div>;
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={title}>
      <form style={{ padding: 20, display: 'grid', gap: 12 }} data-testid="stream-form" onSubmit={(e) => { e.preventDefault(); act.mutate(undefined, { onSuccess: close }); }}>
        <h2 style={{ fontSize: 16 }}>{title}</h2>
        <div className="field"><label htmlFor="s-kind">{t('Events come from', '이벤트 출처')}</label><select id="s-kind" className="input" value={ask.kind} onChange={(e) => set({ kind: e.target.value })}><option value="push">{t('apps that push them over HTTP', 'HTTP로 보내는 앱')}</option><option value="kafka">{t('a topic of Kafka', 'Kafka 토픽')}</option><option value="nats">{t('a stream of NATS JetStream', 'NATS JetStream 스트림')}</option></select></div>
        {ask.kind !== 'push' && field('s-place', t('Host and topic; secret=NAME signs in', '호스트와 토픽. 로그인은 secret=이름'), 'place', { required: true, placeholder: ask.kind === 'kafka' ? 'broker:9092/clicks?secret=clicks' : 'host:4222/CLICKS' })}
        {field('s-name', t('Name', '이름'), 'name', { required: true, pattern: '[A-Za-z0-9_.\\-]+', placeholder: 'clicks' })}
        {field('s-data', t('Dataset that the rows go to', '행을 저장할 데이터셋'), 'dataset', { placeholder: ask.name || 'clicks' })}
        <div className="field"><label htmlFor="s-format">{t('Format', '형식')}</label><select id="s-format" className="input" value={ask.format} onChange={(e) => set({ format: e.target.value })}><option value="json">{t('JSON, an object each', 'JSON, 객체 하나씩')}</option><option value="csv">{t('CSV, a line each', 'CSV, 한 줄씩')}</option></select></div>
        {field('s-cols', ask.format === 'csv' ? t('Columns, in order', '열 이름(순서대로)') : t('Columns with a fixed type', '타입을 정해 둘 열'), 'columns', { required: ask.format === 'csv', placeholder: 'id:integer,price:float,name' })}
        <div className="field"><label htmlFor="s-every">{t('Rows appear', '행이 나타나는 주기')}</label><select id="s-every" className="input" value={ask.every} onChange={(e) => set({ every: e.target.value })}><option value="1">{t('every second', '1초마다')}</option><option value="5">{t('every 5 seconds', '5초마다')}</option><option value="60">{t('every minute', '1분마다')}</option><option value="600">{t('every 10 minutes', '10분마다')}</option></select></div>
        {field('s-key', t('Column that names an event: it is taken once', '이벤트를 구별하는 열(중복 제거)'), 'key', { placeholder: 'id' })}
        {field('s-time', t('Column that says when it happened', '발생 시각 열'), 'time', { placeholder: 'at' })}
        <label className="row"><input type="checkbox" checked={ask.strict} onChange={(e) => set({ strict: e.target.checked })} />{t('Set events with new columns apart instead of widening the dataset', '새 열이 있는 이벤트는 데이터셋을 넓히지 않고 따로 보관')}</label>
        <div className="code" tabIndex={0}>{words.map(quoted).join(' ')}</div>
        {act.error && <ErrorNote error={act.error} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={close}>{t('Cancel', '취소')}</button><button className="btn primary" disabled={act.isPending || !ask.name}><Plus size={13} />{t('Add', '추가')}</button></div>
      </form>
    </Modal>
  );
}
