import { useT } from '../prefs';
import { Modal } from './Modal';
import { usePlaces } from './places';

/** The sheet behind the question mark. */
export function Shortcuts({ open, set }: { open: boolean; set(o: boolean): void }) {
  const t = useT(); const places = usePlaces();
  const rows: [string, string][] = [['Ctrl K  /', t('Search and commands', '검색과 명령')], ['t', t('Light / dark', '밝게 / 어둡게')], ['l', t('한국어로 보기', 'View in English')], ['f', t('Filter the list', '목록 거르기')], ['j  k  ↑  ↓', t('Move in a table', '표에서 이동')], ['Enter', t('Open the row', '행 열기')], ['x', t('Tick the row', '행 선택')], ...places.map((p): [string, string] => ['g ' + p.k, p.l]), ['g ,', t('Settings', '설정')]];
  return <Modal open={open} onOpenChange={set} title={t('Shortcuts', '단축키')}><div style={{ padding: 20 }}><h2 style={{ fontSize: 16, marginBottom: 14 }}>{t('Shortcuts', '단축키')}</h2><div className="shortcuts">{rows.map(([k, l]) => [<kbd key={k}>{k}</kbd>, <span key={k + 'l'}>{l}</span>])}</div></div></Modal>;
}
