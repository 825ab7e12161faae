import { Play } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Modal } from '../ui/Modal';

const quoted = (text: string) => (/^[\w@./-]+$/.test(text) ? text : `'${text}'`);

/** Asks what goes through which model and when; shows the command that does the same. */
export function BatchDialog({ model, close }: { model: string; close(): void }) {
  const t = useT(); const models = useApi<Schemas['ModelList']>('/models').data?.models.map((m) => m.name) ?? [];
  const [ask, setAsk] = useState({ model, input: '', output: '', every: '', name: '', overwrite: false });
  const name = ask.model || models[0] || ''; const set = (change: Partial<typeof ask>) => setAsk({ ...ask, ...change });
  const body = { model: name, input: ask.input.split(',').map((x) => x.trim()).filter(Boolean), output: ask.output.trim(), overwrite: ask.overwrite };
  const act = useChange<unknown>(() => (ask.every ? { path: `/batch-schedules/${encodeURIComponent(ask.name)}`, method: 'PUT', body: { ...body, every: ask.every } } : { path: '/batch', method: 'POST', body }));
  const words = [...(ask.every ? ['schedule', ask.name || 'NAME'] : []), name || 'MODEL', ...(ask.every ? ['--every', ask.every] : []), '--input', ...(body.input.length ? body.input : ['FILE']), '--output', body.output || 'FILE', ...(ask.overwrite ? ['--overwrite'] : [])];
  const title = t('Score files with a model', '모델로 파일 예측');
  return (
    <Modal open onOpenChange={(o) => !o && close()} title={title}>
      <form style={{ padding: 20, display: 'grid', gap: 14 }} data-testid="batch-form" onSubmit={(e) => { e.preventDefault(); act.mutate(undefined, { onSuccess: close }); }}>
        <h2 style={{ fontSize: 16 }}>{title}</h2>
        <div className="field"><label htmlFor="b-model">{t('Model', '모델')}</label><select id="b-model" className="input" value={name} onChange={(e) => set({ model: e.target.value })}>{models.map((m) => <option key={m}>{m}</option>)}</select></div>
        <div className="field"><label htmlFor="b-in">{t('Input: files on the server, patterns, or a dataset', '입력: 서버의 파일, 패턴, 또는 데이터셋')}</label><input id="b-in" className="input m" required value={ask.input} placeholder="/data/new-*.parquet" onChange={(e) => set({ input: e.target.value })} /></div>
        <div className="field"><label htmlFor="b-out">{t('Output: .csv, .jsonl or .parquet', '출력: .csv, .jsonl, .parquet')}</label><input id="b-out" className="input m" required value={ask.output} placeholder={ask.every ? '/data/scored-{date}.parquet' : '/data/scored.parquet'} onChange={(e) => set({ output: e.target.value })} /></div>
        <div className="field"><label htmlFor="b-when">{t('When', '언제')}</label><select id="b-when" className="input" value={ask.every} onChange={(e) => set({ every: e.target.value })}><option value="">{t('now, once', '지금 한 번')}</option><option value="30m">{t('every 30 minutes', '30분마다')}</option><option value="hour">{t('every hour', '매시간')}</option><option value="day">{t('every day', '매일')}</option><option value="week">{t('every week', '매주')}</option></select></div>
        {ask.every && <div className="field"><label htmlFor="b-name">{t('Name of the schedule', '예약 이름')}</label><input id="b-name" className="input" required pattern="[a-z0-9_\-]+" value={ask.name} placeholder="nightly" onChange={(e) => set({ name: e.target.value })} /></div>}
        <label className="row"><input type="checkbox" checked={ask.overwrite} onChange={(e) => set({ overwrite: e.target.checked })} />{t('Replace an output that exists', '이미 있는 출력 파일 바꾸기')}</label>
        <div className="code" tabIndex={0}>maru batch {words.map((w) => (w.startsWith('--') ? w : quoted(w))).join(' ')}</div>
        {act.error && <ErrorNote error={act.error} />}
        <div className="row" style={{ justifyContent: 'flex-end' }}><button type="button" className="btn" onClick={close}>{t('Cancel', '취소')}</button><button className="btn primary" disabled={act.isPending || !name}><Play size={13} />{ask.every ? t('Schedule', '예약') : t('Start', '시작')}</button></div>
      </form>
    </Modal>
  );
}
