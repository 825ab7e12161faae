import { Download } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useApi, useProject } from '../api/use';
import { useFmt, useT } from '../prefs';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';

export function ModelFiles({ name, version }: { name: string; version: number }) {
  const t = useT(); const f = useFmt(); const project = useProject(); const path = `/models/${encodeURIComponent(name)}/versions/${version}/files`;
  const query = useApi<Schemas['FileList']>(path);
  return <Loaded query={query}>{(d) => <Panel flush title={t('Files of this version', '이 버전의 파일')} hint={t('a valid MLflow model folder', '유효한 MLflow 모델 폴더')}><div className="tscroll" tabIndex={0}><table className="tb"><tbody>{d.files.map((x) => <tr key={x.path}><td className="mono fs12">{x.path}</td><td className="r">{f.bytes(x.bytes)}</td><td className="mono fs11 t3">{x.sha256.slice(0, 24)}</td><td className="r"><a className="btn sm ghost" download href={`/api/v1${path}/${x.path.split('/').map(encodeURIComponent).join('/')}?project=${encodeURIComponent(project)}`}><Download size={13} /><span className="sr">{x.path}</span></a></td></tr>)}</tbody></table></div></Panel>}</Loaded>;
}
