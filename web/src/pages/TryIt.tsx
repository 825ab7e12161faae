import { Play } from 'lucide-react';
import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi, useChange } from '../api/use';
import { rowOf, textOf } from '../lib/row';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { ErrorNote } from '../ui/ErrorNote';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';

type Prediction = { prediction?: unknown; probability?: number; probabilities?: Record<string, number> };

/** A form from the signature, filled with its examples; sends a real request, which is logged like any other. */
export function TryIt({ endpoint, model }: { endpoint: string; model: string }) {
  const query = useApi<Schemas['Signature']>(`/models/${encodeURIComponent(model)}/signature`);
  return <Loaded query={query}>{(s) => <Form endpoint={endpoint} s={s} />}</Loaded>;
}

function Form({ endpoint, s }: { endpoint: string; s: Schemas['Signature'] }) {
  const t = useT(); const f = useFmt(); const [values, set] = useState<Record<string, string>>({});
  const row = rowOf(s.inputs, values);
  const call = useChange<Schemas['PredictResult']>(() => ({ path: `/endpoints/${encodeURIComponent(endpoint)}/predict`, method: 'POST', body: { instances: [row] } }));
  const p = call.data?.predictions[0] as Prediction | number | undefined;
  return (
    <Panel title={t('Try it', '시험해 보기')} hint={t('a real request; it is logged', '실제 요청이며 기록됩니다')}>
      <form onSubmit={(e) => { e.preventDefault(); call.mutate(); }} className="col" style={{ gap: 12 }}>
        <div className="form">{s.inputs.map((i) => <div key={i.name} className="field"><label htmlFor={'in-' + i.name}>{i.name} <span className="t3">{i.kind}</span></label><input id={'in-' + i.name} className="input" value={values[i.name] ?? textOf(i.example)} onChange={(e) => set({ ...values, [i.name]: e.target.value })} /></div>)}</div>
        <div className="row"><button className="btn primary" disabled={call.isPending}><Play size={13} />{t('Predict', '예측')}</button></div>
      </form>
      {call.error && <div style={{ marginTop: 12 }}><ErrorNote error={call.error} /></div>}
      {p !== undefined && call.data && <div className="api-ans" data-testid="answer"><div className="row wrap"><span className="answer">{typeof p === 'number' ? f.sig(p, 5) : String(p.prediction)}</span>{typeof p === 'object' && p.probability != null && <span className="num t2">{t('probability', '확률')} {f.pct(p.probability, 2)}</span>}<Chip s="alias" className="soft">v{call.data.version}</Chip><code className="t3 fs12">{call.data.id}</code></div>{typeof p === 'object' && p.probabilities && <dl className="kv num">{Object.entries(p.probabilities).map(([k, v]) => [<dt key={k}>{k}</dt>, <dd key={k + 'v'}>{f.pct(v, 2)}</dd>])}</dl>}</div>}
    </Panel>
  );
}
