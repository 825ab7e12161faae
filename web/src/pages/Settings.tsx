import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useFmt, usePrefs, useT } from '../prefs';
import { curl, usePage } from '../ui/page';
import { Panel } from '../ui/Panel';
import { Seg } from '../ui/Seg';

export function Settings() {
  const t = useT(); const f = useFmt(); const { lang, theme, setLang, setTheme } = usePrefs();
  usePage([[t('Settings', '설정')]], { cli: 'maru version', curl: curl('/version') });
  const v = useApi<Schemas['Version']>('/version').data; const s = useApi<Schemas['Status']>('/status').data;
  return (
    <div className="page"><div className="ph"><h1>{t('Settings', '설정')}</h1></div>
      <div className="grid12">
        <Panel className="c6 m12 top-align" title={t('This browser', '이 브라우저')}><dl className="kv" style={{ fontSize: 13, alignItems: 'center' }}><dt>{t('Language', '언어')}</dt><dd><Seg label={t('Language', '언어')} value={lang} onChange={setLang} options={[['en', 'English'], ['ko', '한국어']]} /></dd><dt>{t('Theme', '테마')}</dt><dd><Seg label={t('Theme', '테마')} value={theme} onChange={setTheme} options={[['light', t('Light', '밝게')], ['dark', t('Dark', '어둡게')]]} /></dd></dl></Panel>
        <Panel className="c6 m12 top-align" title={t('Server', '서버')}><dl className="kv" style={{ fontSize: 13 }}><dt>{t('Version', '버전')}</dt><dd className="mono">{v?.version ?? '–'} {v?.commit?.slice(0, 12)} {v?.build}</dd><dt>{t('Home folder', '홈 폴더')}</dt><dd className="mono">{s?.server.home ?? '–'}</dd><dt>{t('Up', '가동 시간')}</dt><dd>{f.dur(s?.server.uptime_s)}</dd><dt>{t('Memory', '메모리')}</dt><dd>{f.bytes(s?.cost.rss_bytes)}</dd><dt>API</dt><dd><a className="link" href="/api/v1/openapi.json">/api/v1/openapi.json</a></dd></dl></Panel>
        {v && <Panel className="c12" title={t('Libraries', '라이브러리')}><dl className="kv">{Object.entries(v.libraries).map(([k, x]) => [<dt key={k}>{k}</dt>, <dd key={k + 'v'} className="mono">{x}</dd>])}</dl></Panel>}
      </div>
    </div>
  );
}
