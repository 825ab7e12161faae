import { Link, Outlet, useLocation, useNavigate } from '@tanstack/react-router';
import { Bell, Languages, Menu as MenuIcon, Moon, Rocket, Search, Settings, Sun } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTopics } from '../api/live';
import { useProject } from '../api/use';
import { useHref } from '../lib/nav';
import { usePrefs, useT } from '../prefs';
import { CommandLine } from './CommandLine';
import { Logo } from './Logo';
import { Menu, MenuItem } from './Menu';
import { PageContext, type Page } from './page';
import { Palette } from './Palette';
import { usePlaces, type Place } from './places';
import { Shortcuts } from './Shortcuts';
import { Tip } from './Tip';

const MOD = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl ';

export function Shell() {
  const t = useT(); const { lang, setLang, theme, setTheme } = usePrefs(); const project = useProject(); const href = useHref();
  const [page, setPage] = useState<Page>({ crumbs: [], cmd: { cli: 'maru doctor', curl: '' } });
  const [pal, setPal] = useState(false); const [keys, setKeys] = useState(false);
  const places = usePlaces(); const loc = useLocation(); const nav = useNavigate(); const main = useRef<HTMLElement>(null); const g = useRef(-1e9); // when g was pressed; kept while the places' counts change
  useTopics([`project:${project}`]);
  const flip = useMemo(() => ({ lang: () => setLang(lang === 'ko' ? 'en' : 'ko'), theme: () => setTheme(theme === 'dark' ? 'light' : 'dark') }), [lang, theme, setLang, setTheme]);
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      if ((e.metaKey || e.ctrlKey) && e.key === 'k') { e.preventDefault(); setPal((p) => !p); return; }
      const el = e.target as HTMLElement; if (/INPUT|TEXTAREA|SELECT/.test(el.tagName) || e.metaKey || e.ctrlKey || e.altKey) return;
      if (e.timeStamp - g.current < 1500) { g.current = -1e9; const p = places.find((x) => x.k === e.key)?.to ?? (e.key === ',' ? href('settings') : e.key === 'g' ? href('guide') : null); if (p) void nav({ to: p as '/' }); return; }
      if (e.key === '/') { e.preventDefault(); setPal(true); }
      if (e.key === '?') setKeys(true);
      if (e.key === 't') flip.theme();
      if (e.key === 'l') flip.lang();
      if (e.key === 'f') { const box = document.querySelector<HTMLInputElement>('.filter input'); if (box) { e.preventDefault(); box.focus(); } }
      if (e.key === 'g') g.current = e.timeStamp;
    };
    addEventListener('keydown', on); return () => removeEventListener('keydown', on);
  }, [places, nav, href, flip]);
  useEffect(() => { main.current?.scrollTo({ top: 0 }); }, [loc.pathname]);
  const isOn = (to: string) => (to === href() ? loc.pathname === to : loc.pathname.startsWith(to));
  const item = (p: Place) => (
    <Link key={p.to} to={p.to as '/'} className={isOn(p.to) ? 'on' : ''} aria-current={isOn(p.to) ? 'page' : undefined} title={p.l}>
      <p.icon size={16} strokeWidth={1.9} /><span className="lb">{p.l}</span>
      {p.badge ? <span className={'badge ' + p.badge[0]}>{p.badge[1]}<span className="sr"> {t('need attention', '건 확인 필요')}</span></span> : p.count ? <span className="count">{p.count}</span> : null}
    </Link>
  );
  const alerts = places[6].badge?.[1] ?? 0; const bell = t(`Alerts: ${alerts} open`, `열린 알림 ${alerts}건`);
  const small = (to: string, I: typeof Rocket, l: string) => <Link to={to as '/'} className={isOn(to) ? 'on' : ''} title={l}><I size={16} strokeWidth={1.9} /><span className="lb">{l}</span></Link>;
  return (
    <PageContext.Provider value={setPage}>
      <div className="app">
        <a className="skip" href="#main">{t('Skip to content', '본문으로 건너뛰기')}</a>
        <aside className="side">
          <Link to={href() as '/'} className="brand"><Logo /><div><div className="pn">{project}</div><div className="ps">{t('project', '프로젝트')}</div></div></Link>
          <nav className="nav" aria-label={t('Main', '주 메뉴')}>{places.map(item)}</nav>
          <div className="side-foot nav">{small(href('guide'), Rocket, t('Guide', '시작 안내'))}{small(href('settings'), Settings, t('Settings', '설정'))}</div>
        </aside>
        <header className="top">
          <span className="only-s"><Logo size={24} /></span>
          <nav className="crumbs" aria-label={t('Breadcrumb', '경로')}>
            {page.crumbs.map(([l, to], i) => i === page.crumbs.length - 1 ? <span key={i} aria-current="page">{l}</span> : <span key={i} className="row up" style={{ gap: 7 }}>{to ? <Link to={to as '/'}>{l}</Link> : l}<span className="sl">/</span></span>)}
          </nav>
          <button className="searchbtn" onClick={() => setPal(true)}><Search size={14} /><span>{t('Search or run a command', '검색 또는 명령')}</span><kbd>{MOD}K</kbd></button>
          <Tip label={t('한국어로 보기', 'View in English')}><button className="btn ghost sm desk" onClick={flip.lang}><Languages size={15} />{lang === 'ko' ? '한' : 'EN'}<span className="sr">{t('한국어로 보기', 'View in English')}</span></button></Tip>
          <Tip label={t('Light / dark', '밝게 / 어둡게')}><button className="btn ghost icon sm desk" onClick={flip.theme} aria-label={t('Light / dark', '밝게 / 어둡게')}>{theme === 'dark' ? <Sun size={15} /> : <Moon size={15} />}</button></Tip>
          <Tip label={bell}><Link to={href('monitor') as '/'} className="btn ghost icon sm" aria-label={bell} style={{ position: 'relative' }}><Bell size={15} />{alerts > 0 && <span style={{ position: 'absolute', top: 4, right: 5, width: 6, height: 6, borderRadius: 3, background: 'var(--bad-fill)' }} />}</Link></Tip>
        </header>
        <main className="main" id="main" tabIndex={-1} ref={main}><Outlet /></main>
        <CommandLine cmd={page.cmd} />
        <nav className="bottomnav" aria-label={t('Main', '주 메뉴')}>
          {[places[0], places[1], places[2], places[4]].map((p) => <Link key={p.to} to={p.to as '/'} className={isOn(p.to) ? 'on' : ''}><p.icon size={19} strokeWidth={1.8} />{p.l}{p.badge && <span className={'badge ' + p.badge[0]}>{p.badge[1]}</span>}</Link>)}
          <Menu trigger={<button className={[3, 5, 6].some((n) => isOn(places[n].to)) ? 'on' : ''}><MenuIcon size={19} strokeWidth={1.8} />{t('More', '더보기')}</button>}>
            {[places[3], places[5], places[6], { to: href('guide'), icon: Rocket, l: t('Guide', '시작 안내') }, { to: href('settings'), icon: Settings, l: t('Settings', '설정') }].map((p) => <MenuItem key={p.to} onSelect={() => void nav({ to: p.to as '/' })}><p.icon size={16} />{p.l}</MenuItem>)}
            <div className="sep" /><MenuItem onSelect={flip.lang}><Languages size={16} />{t('한국어', 'English')}</MenuItem><MenuItem onSelect={flip.theme}><Moon size={16} />{t('Dark / light', '어둡게 / 밝게')}</MenuItem>
          </Menu>
        </nav>
      </div>
      <Palette open={pal} set={setPal} /><Shortcuts open={keys} set={setKeys} />
    </PageContext.Provider>
  );
}
