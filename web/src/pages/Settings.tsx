import { useApi, type Json } from '../api/client';
import { usePrefs, useT } from '../prefs';
import { Panel } from '../ui/Panel';
import { usePage } from './trail';
import { Head, Loaded } from '../ui/State';

export function Settings() {
  const t = useT(); const { lang, setLang, theme, setTheme } = usePrefs();
  usePage([[t('Settings', '설정')]], 'maru version', '/version');
  const version = useApi('/version'); const tokens = useApi('/tokens');
  return (
    <div className="page"><Head title={t('Settings', '설정')} />
      <Panel title={t('Appearance', '모양')}><div className="row wrap"><button className="btn" aria-pressed={lang === 'en'} onClick={() => setLang('en')}>English</button><button className="btn" aria-pressed={lang === 'ko'} onClick={() => setLang('ko')}>한국어</button><button className="btn" onClick={() => setTheme(theme === 'dark' ? 'light' : 'dark')}>{theme === 'dark' ? t('Light', '밝게') : t('Dark', '어둡게')}</button></div></Panel>
      <Panel title={t('Server', '서버')} flush><Loaded query={version}>{(v) => <table className="tb"><tbody><tr><td>{t('Version', '버전')}</td><td className="mono">{v.version} ({v.commit})</td></tr>{Object.entries(v.libraries).map(([k, x]) => <tr key={k}><td>{k}</td><td className="mono">{String(x)}</td></tr>)}</tbody></table>}</Loaded></Panel>
      <Panel title={t('Access tokens', '접근 토큰')} hint="maru token create NAME --role editor" flush><Loaded query={tokens}>{(d) => d.tokens.length === 0 ? <p className="need t2">{t('None. Callers on this machine need none.', '없습니다. 이 컴퓨터에서는 토큰이 필요 없습니다.')}</p> : <table className="tb"><tbody>{d.tokens.map((x: Json) => <tr key={x.name}><td>{x.name}</td><td>{x.role}</td></tr>)}</tbody></table>}</Loaded></Panel>
    </div>
  );
}
