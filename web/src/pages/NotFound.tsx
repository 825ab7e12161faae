import { useHref } from '../lib/nav';
import { useT } from '../prefs';
import { A } from '../ui/A';
import { curl, usePage } from '../ui/page';

export function NotFound() {
  const t = useT(); const href = useHref();
  usePage([[t('Not found', '찾을 수 없음')]], { cli: 'maru --help', curl: curl('/status') });
  return <div className="page"><h1 style={{ fontSize: 20 }}>{t('There is no page at this address.', '이 주소에는 화면이 없습니다.')}</h1><p><A to={href()} className="link">{t('Go to Home', '홈으로 가기')}</A></p></div>;
}
