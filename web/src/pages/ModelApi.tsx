import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { rowOf, rowOfTensors } from '../lib/row';
import { useFmt, useT } from '../prefs';
import { CopyBtn } from '../ui/CopyBtn';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';
import { TryIt } from './TryIt';

type Form = 'maru' | 'oip' | 'mlflow' | 'py';
const TYPE = { number: 'FP64', integer: 'INT64', boolean: 'BOOL', text: 'BYTES', timestamp: 'BYTES' };

/** The calls that other programs make, written from the signature with its example row. */
export function ModelApi({ name, version }: { name: string; version: Schemas['ModelVersion'] }) {
  const t = useT(); const f = useFmt(); const [form, set] = useState<Form>('maru');
  const query = useApi<Schemas['Signature']>(`/models/${encodeURIComponent(name)}/signature?version=${version.version}`);
  const endpoint = version.endpoints[0];
  return <Loaded query={query}>{(s) => {
    const columns = s.inputs.length > 0 || !s.tensors; const values = rowOf(s.inputs, {}); const row = columns ? values : rowOfTensors(s.tensors!.inputs); const body = JSON.stringify({ instances: [row] }); const o = location.origin;
    const tensors = JSON.stringify({ inputs: columns ? s.inputs.map((i) => ({ name: i.name, shape: [1], datatype: i.datatype ?? TYPE[i.kind], data: [values[i.name]] }))
      : s.tensors!.inputs.map((i) => ({ name: i.name, shape: i.shape.map((n) => Math.max(1, n)), datatype: i.datatype, data: rowOfTensors([{ ...i, shape: [-1, ...i.shape] }]) })) });
    const code: Record<Form, string> = {
      maru: `curl -s ${o}/api/v1/endpoints/${endpoint ?? name}/predict \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`,
      oip: `curl -s ${o}/v2/models/${name}/versions/${version.version}/infer \\\n  -H 'Content-Type: application/json' \\\n  -d '${tensors}'`,
      mlflow: `curl -s '${o}/invocations?endpoint=${endpoint ?? name}' \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(columns ? { dataframe_records: [row] } : { instances: [row] })}'`,
      py: `import json, urllib.request\nrow = json.loads('''${JSON.stringify(row)}''')\nrequest = urllib.request.Request("${o}/api/v1/endpoints/${endpoint ?? name}/predict",\n    json.dumps({"instances": [row]}).encode(), {"Content-Type": "application/json"})\nprint(json.load(urllib.request.urlopen(request)))`,
    };
    return <div className="grid12">
      <div className="c6 m12">{endpoint ? <TryIt endpoint={endpoint} model={name} /> : <Panel title={t('Not served', '서빙되지 않음')}><p className="t2">{t('No endpoint answers with this version; promote it to try it.', '이 버전으로 답하는 엔드포인트가 없습니다. 승격하면 시험해 볼 수 있습니다.')}</p></Panel>}</div>
      <Panel className="c6 m12 top-align" title={t('Call it', '호출하기')} right={<Seg label={t('Protocol', '프로토콜')} value={form} onChange={set} options={[['maru', 'Maru'], ['oip', 'Open Inference'], ['mlflow', 'MLflow'], ['py', 'Python']]} />}><div style={{ position: 'relative' }}><pre className="code pre" tabIndex={0}>{code[form]}</pre><span style={{ position: 'absolute', right: 6, top: 6 }}><CopyBtn text={code[form]} /></span></div></Panel>
      <Panel className="c12" title={t('Inputs', '입력')} right={<span className="t3 fs12">{columns ? s.inputs.length : s.tensors!.inputs.length}</span>} flush><div className="tscroll" tabIndex={0}><table className="tb"><thead><tr><th>{t('Column', '열')}</th><th>{t('Kind', '종류')}</th><th>{t('Required', '필수')}</th><th>{t('Example', '예')}</th></tr></thead><tbody>{s.inputs.map((i) => <tr key={i.name}><td className="m">{i.name}</td><td><code>{i.kind}</code></td><td>{i.required ? t('yes', '예') : t('no', '아니요')}</td><td className="t2">{f.sig(i.example, 6)}</td></tr>)}{!columns && s.tensors!.inputs.map((i) => <tr key={i.name}><td className="m">{i.name}</td><td><code>{i.datatype} [{i.shape.join(', ')}]</code></td><td>{t('yes', '예')}</td><td className="t2">–</td></tr>)}</tbody></table></div></Panel>
    </div>;
  }}</Loaded>;
}
