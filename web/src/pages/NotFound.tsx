import { useT } from '../prefs';
import { A } from '../ui/A';
import { usePage } from './trail';

export function NotFound() {
  const t = useT();
  usePage([[t('Not found', '없는 화면')]], 'maru --help', '/search?q=');
  return <div className="page"><div className="ph"><h1>{t('There is no such page.', '그런 화면은 없습니다.')}</h1></div><p><A to="/p/default" className="lk">{t('To the home page', '홈으로')}</A></p></div>;
}
