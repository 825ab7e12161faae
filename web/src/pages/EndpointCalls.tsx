import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useT } from '../prefs';
import { CopyBtn } from '../ui/CopyBtn';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';

type Language = Schemas['EndpointExamples']['examples'][number]['language'];

/** Calls to copy, written by the server from the signature and a sample row; each runs as it stands. */
export function EndpointCalls({ endpoint }: { endpoint: string }) {
  const t = useT(); const [language, set] = useState<Language>('curl'); const path = `/endpoints/${encodeURIComponent(endpoint)}`;
  const query = useApi<Schemas['EndpointExamples']>(`${path}/examples`);
  return (
    <Panel className="top-align" title={t('Call it', '호출하기')} right={<><a className="link fs12" href={`/api/v1${path}/openapi.json`} target="_blank" rel="noreferrer">OpenAPI</a><Seg label={t('Language', '언어')} value={language} onChange={set} options={[['curl', 'curl'], ['python', 'Python'], ['javascript', 'JavaScript'], ['cpp', 'C++']]} /></>}>
      <Loaded query={query}>{(q) => { const e = q.examples.find((x) => x.language === language); return e ? <>
        <div style={{ position: 'relative' }} data-testid="call"><pre className="code pre" tabIndex={0} style={{ maxHeight: 330, overflow: 'auto' }}>{e.code}</pre><span style={{ position: 'absolute', right: 6, top: 6 }}><CopyBtn text={e.code} /></span></div>
        <div className="code row" tabIndex={0} style={{ padding: '4px 4px 4px 12px', marginTop: 8 }}><span className="grow">{e.run}</span><CopyBtn text={e.run} /></div>
        <p className="t3 fs12" style={{ marginTop: 8 }}>{t('A token in MARU_TOKEN is sent along; a caller on the server’s own machine needs none.', 'MARU_TOKEN에 토큰이 있으면 함께 보냅니다. 서버와 같은 컴퓨터에서는 토큰이 필요 없습니다.')}</p>
      </> : null; }}</Loaded>
    </Panel>
  );
}
