import { useT } from '../prefs';
import { CopyBtn } from '../ui/CopyBtn';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';

/** The first steps, each a command that may be copied. */
export function Guide() {
  const t = useT();
  usePage([[t('Guide', '시작 안내')]], 'maru --help', '/version');
  const steps: [string, string][] = [
    [t('Look at the data and write maru.yaml', '데이터를 살펴보고 maru.yaml 쓰기'), 'maru init FILE --label COLUMN'],
    [t('Validate, train, test, register, serve', '검증, 학습, 시험, 등록, 서빙'), 'maru run'],
    [t('Keep it running', '계속 실행하기'), 'maru up'],
    [t('Score a file', '파일 예측하기'), 'maru predict MODEL FILE --output scored.csv'],
    [t('Go back to the version before', '이전 버전으로 되돌리기'), 'maru model rollback MODEL'],
  ];
  return (
    <div className="page"><div className="ph"><h1>{t('From a file to a watched model', '파일에서 감시되는 모델까지')}</h1></div>
      {steps.map(([what, command], i) => <Panel key={command} title={`${i + 1}. ${what}`}><div className="code row" style={{ padding: '4px 4px 4px 12px' }}>{command}<span className="end"><CopyBtn text={command} /></span></div></Panel>)}
    </div>
  );
}
