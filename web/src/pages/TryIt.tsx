import { Play, Scale } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { Pulls } from '../charts/Pulls';
import { rowOf, rowOfTensors, textOf } from '../lib/row';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';

/** What the endpoint looks up by key. */
export type Look = { key: string[]; columns: string[] };
type Prediction = { prediction?: unknown; probability?: number; probabilities?: Record<string, number> };
const isPrediction = (p: unknown): p is Prediction => typeof p === 'object' && p !== null && 'prediction' in p;
const parsed = (text: string): unknown => { try { return JSON.parse(text); } catch { return undefined; } };

/** A form from the signature, filled with its examples; sends a real request, which is logged like any other. */
export function TryIt({ endpoint, model, look }: { endpoint: string; model: string; look?: Look }) {
  const query = useApi<Schemas['Signature']>(`/models/${encodeURIComponent(model)}/signature`);
  return <Loaded query={query}>{(s) => s.inputs.length || !s.tensors ? <Form endpoint={endpoint} s={s} look={look} /> : <TensorForm endpoint={endpoint} tensors={s.tensors} />}</Loaded>;
}

const usePredict = (endpoint: string, row: unknown) => useChange<Schemas['PredictResult'], boolean | void>((explain) => ({ path: `/endpoints/${encodeURIComponent(endpoint)}/predict`, method: 'POST', body: explain ? { instances: [row], explain } : { instances: [row] } }));

function Answer({ call }: { call: ReturnType<typeof usePredict> }) {
  const t = useT(); const f = useFmt(); const p = call.data?.predictions[0] as unknown; const why = call.data?.explanations?.[0];
  const word = isPrediction(p) ? String(p.prediction) : typeof p === 'number' ? f.sig(p, 5) : typeof p === 'string' ? p : JSON.stringify(p);
  return <>
    {call.error && <div style={{ marginTop: 12 }}><ErrorNote error={call.error} /></div>}
    {p !== undefined && call.data && <div className="api-ans" data-testid="answer"><div className="row wrap"><span className="answer">{word}{call.data.unit ? ' ' + call.data.unit : ''}</span>{isPrediction(p) && p.probability != null && <span className="num t2">{t('probability', '확률')} {f.pct(p.probability, 2)}</span>}<Chip s="alias" className="soft">{call.data.fallback ? t('fallback', '대체 답') : `v${call.data.version}`}</Chip><code className="t3 fs12">{call.data.id}</code></div>{isPrediction(p) && p.probabilities && <dl className="kv num">{Object.entries(p.probabilities).map(([k, v]) => [<dt key={k}>{k}</dt>, <dd key={k + 'v'}>{f.pct(v, 2)}</dd>])}</dl>}{why && <Pulls e={why} of={isPrediction(p) ? String(p.prediction) : undefined} />}</div>}
  </>;
}

/** A row of tensors as JSON, beginning with zeros of their shapes. */
function TensorForm({ endpoint, tensors }: { endpoint: string; tensors: NonNullable<Schemas['Signature']['tensors']> }) {
  const t = useT(); const [text, set] = useState(() => JSON.stringify(rowOfTensors(tensors.inputs))); const row = parsed(text);
  const call = usePredict(endpoint, row);
  return (
    <Panel title={t('Try it', '시험해 보기')} hint={tensors.inputs.map((i) => `${i.name} ${i.datatype} [${i.shape.join(', ')}]`).join('; ')}>
      <form onSubmit={(e) => { e.preventDefault(); call.mutate(); }} className="col" style={{ gap: 12 }}>
        <div className="field"><label htmlFor="in-row">{t('One row, as JSON', '한 행 (JSON)')}</label><textarea id="in-row" className="input mono" rows={5} value={text} onChange={(e) => set(e.target.value)} aria-invalid={row === undefined} /></div>
        <div className="row"><button className="btn primary" disabled={call.isPending || row === undefined}><Play size={13} />{t('Predict', '예측')}</button>{row === undefined && <span className="t3">{t('This is not JSON.', 'JSON이 아닙니다.')}</span>}</div>
      </form>
      <Answer call={call} />
    </Panel>
  );
}

/** With a key, the columns that are looked up are left out unless they were typed. */
function withKey(row: Record<string, unknown>, values: Record<string, string>, look: Look | undefined): Record<string, unknown> {
  const keys = look?.key.filter((k) => values['key ' + k]) ?? [];
  if (!look || keys.length === 0) return row;
  const rest = Object.entries(row).filter(([column]) => values[column] !== undefined || !look.columns.includes(column));
  return { ...Object.fromEntries(rest), ...Object.fromEntries(keys.map((k) => [k, values['key ' + k]])) };
}

function Form({ endpoint, s, look }: { endpoint: string; s: Schemas['Signature']; look?: Look }) {
  const t = useT(); const [values, set] = useState<Record<string, string>>({});
  const call = usePredict(endpoint, withKey(rowOf(s.inputs, values), values, look));
  return (
    <Panel title={t('Try it', '시험해 보기')} hint={s.tensors ? t('a real request', '실제 요청입니다') : t('a real request; it is logged', '실제 요청이며 기록됩니다')}>
      <form onSubmit={(e) => { e.preventDefault(); call.mutate(); }} className="col" style={{ gap: 12 }}>
        <div className="form">{look?.key.map((k) => <div key={'key ' + k} className="field"><label htmlFor={'key-' + k}>{k} <span className="t3">{t('key; looks up the rest', '키: 나머지를 찾아 채움')}</span></label><input id={'key-' + k} className="input" value={values['key ' + k] ?? ''} onChange={(e) => set({ ...values, ['key ' + k]: e.target.value })} /></div>)}{s.inputs.map((i) => <div key={i.name} className="field"><label htmlFor={'in-' + i.name}>{i.name} <span className="t3">{i.kind}</span></label><input id={'in-' + i.name} className="input" value={values[i.name] ?? textOf(i.example)} onChange={(e) => set({ ...values, [i.name]: e.target.value })} /></div>)}</div>
        <div className="row"><button className="btn primary" disabled={call.isPending}><Play size={13} />{t('Predict', '예측')}</button><button type="button" className="btn" disabled={call.isPending} onClick={() => call.mutate(true)} title={t('Predict, and tell what each column added', '예측하고 열마다 더한 값을 보여 줍니다')}><Scale size={13} />{t('Why?', '왜?')}</button></div>
      </form>
      <Answer call={call} />
    </Panel>
  );
}
