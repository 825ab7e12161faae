import { useT } from '../prefs';
import { curl, usePage } from '../ui/page';
import { Welcome } from './Welcome';

export function Guide() {
  const t = useT();
  usePage([[t('Guide', '시작 안내')]], { cli: 'maru demo', curl: curl('/status') });
  return <Welcome />;
}
