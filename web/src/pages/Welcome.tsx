import { FileUp } from 'lucide-react';
import { useRef, useState } from 'react';
import { useNavigate } from '@tanstack/react-router';
import type { Schemas } from '../api/client';
import { useChange } from '../api/use';
import { useHref } from '../lib/nav';
import { useT } from '../prefs';
import { CopyBtn } from '../ui/CopyBtn';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';

/** From a file to a served model in three steps; also what an empty project shows. */
export function Welcome() {
  const t = useT(); const nav = useNavigate(); const href = useHref(); const input = useRef<HTMLInputElement>(null); const [over, setOver] = useState(false);
  const upload = useChange<Schemas['ImportResult'], File>((file) => ({ path: `/datasets/${encodeURIComponent(file.name.replace(/\.[^]*$/, '').replace(/[^\w가-힣-]+/g, '_') || 'data')}/upload?filename=${encodeURIComponent(file.name)}`, method: 'POST', raw: file }));
  const take = (file?: File) => { if (file) upload.mutate(file, { onSuccess: (r) => void nav({ to: href('data', r.dataset) as '/' }) }); };
  const steps: [string, string, string][] = [
    [t('Give it data', '데이터를 넣습니다'), t('CSV, TSV, JSON lines or Parquet. Types, statistics and a first schema come by themselves.', 'CSV·TSV·JSON 줄·Parquet. 자료형·통계·첫 스키마는 자동입니다.'), 'maru data import data.csv --name data'],
    [t('Ask for a model', '모델을 요청합니다'), t('Say which column to predict. Every inferred choice is written into a project file that you can read and change.', '예측할 열만 알려주세요. 추론한 모든 선택이 읽고 고칠 수 있는 프로젝트 파일에 적힙니다.'), 'maru init data.csv --label COLUMN'],
    [t('Run it and put it to work', '실행하고 서비스에 올립니다'), t('It trains, tests, registers and serves; drift and retraining are watched from the start.', '학습·시험·등록·서빙까지 이어지고, 드리프트와 재학습은 처음부터 지켜봅니다.'), 'maru run'],
  ];
  return (
    <div className="page start">
      <div><h1>{t('From a file to a served model in three steps', '파일에서 서비스되는 모델까지, 세 단계')}</h1><p className="t2 fs14">{t('Nothing leaves this machine.', '아무것도 이 컴퓨터를 떠나지 않습니다.')}</p></div>
      <div className="drop" style={over ? { borderStyle: 'solid' } : undefined} onDragOver={(e) => { e.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={(e) => { e.preventDefault(); setOver(false); take(e.dataTransfer.files[0]); }}>
        <div className="dropin"><FileUp size={22} className="accent-i" /><div><div className="b fs14">{upload.isPending ? t('Reading the file …', '파일을 읽는 중 …') : t('Drop a file here', '파일을 여기에 놓으세요')}</div><div className="t3 fs12">{t('It becomes an immutable snapshot with its profile.', '변하지 않는 스냅샷과 프로파일이 만들어집니다.')}</div></div>
          <span className="row end wrap"><input ref={input} type="file" hidden onChange={(e) => take(e.target.files?.[0])} /><button className="btn primary" disabled={upload.isPending} onClick={() => input.current?.click()}>{t('Choose a file', '파일 선택')}</button></span></div>
      </div>
      {upload.error && <ErrorNote error={upload.error} />}
      <ol className="three">{steps.map(([h, d, c], i) => <li key={h}><Panel><div className="col" style={{ gap: 10, height: '100%' }}><div className="row"><span className="stepno num">{i + 1}</span><h2 style={{ fontSize: 14 }}>{h}</h2></div><p className="t2 grow">{d}</p><div className="code row" tabIndex={0} style={{ padding: '4px 4px 4px 10px' }}><span className="trunc grow">{c}</span><CopyBtn text={c} /></div></div></Panel></li>)}</ol>
      <Panel title={t('See the whole loop first', '전체 흐름 먼저 보기')}><p className="t2">{t('The demo trains on flights of 2013, serves, replays three months of traffic, notices the drift and retrains, in about a minute.', '데모는 2013년 항공편으로 학습·서빙하고, 석 달치 요청을 재생해 드리프트를 찾아 재학습합니다. 약 1분 걸립니다.')}</p><div className="code row" tabIndex={0} style={{ padding: '4px 4px 4px 10px', marginTop: 10 }}><span className="grow">maru demo</span><CopyBtn text="maru demo" /></div></Panel>
      <Panel title={t('Coming from somewhere else?', '다른 도구에서 오셨나요?')} flush><ul className="list">{([[t('Open Inference (KServe, Triton)', '오픈 추론 (KServe, Triton)'), `POST ${location.origin}/v2/models/NAME/infer`], [t('MLflow scoring', 'MLflow 스코어링'), `POST ${location.origin}/invocations`]]).map(([a, b]) => <li key={a} className="wrap"><span className="m" style={{ minWidth: 190 }}>{a}</span><code className="t2" style={{ overflowWrap: 'anywhere' }}>{b}</code></li>)}</ul></Panel>
    </div>
  );
}
