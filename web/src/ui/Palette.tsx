import { useNavigate } from '@tanstack/react-router';
import { FileStack, Boxes, Database, FlaskConical, Languages, Moon, Play, Radio, Rocket, Search, Settings, Workflow } from 'lucide-react';
import { useEffect, useState } from 'react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { matches } from '../lib/match';
import { useHref } from '../lib/nav';
import { usePrefs, useT } from '../prefs';
import { Modal } from './Modal';
import { usePlaces } from './places';

const ICON = { dataset: Database, pipeline: Workflow, run: Play, model: Boxes, endpoint: Radio, experiment: FlaskConical };
type Item = { g: string; i: typeof Database; l: string; h?: string; go(): void };

/** Objects by the server's search, places and settings by both languages and Korean initials. */
export function Palette({ open, set }: { open: boolean; set(o: boolean): void }) {
  const t = useT(); const nav = useNavigate(); const places = usePlaces(); const href = useHref(); const { lang, theme, setLang, setTheme } = usePrefs();
  const [q, setQ] = useState(''); const [asked, setAsked] = useState(''); const [i, setI] = useState(0);
  useEffect(() => { const id = setTimeout(() => setAsked(q.trim()), 120); return () => clearTimeout(id); }, [q]);
  const search = useApi<Schemas['SearchResults']>(open ? `/search?q=${encodeURIComponent(asked)}` : null, { keep: true });
  // While the answer to what is typed now is on its way, the list holds the earlier one's: shown, but Enter waits for the new one.
  const pending = open && (asked !== q.trim() || (search.isPlaceholderData && search.failureCount === 0)); const [enter, setEnter] = useState(false);
  const found = search.data?.results ?? [];
  const kind: Record<string, string> = { dataset: t('dataset', '데이터셋'), pipeline: t('pipeline', '파이프라인'), run: t('run', '실행'), model: t('model', '모델'), endpoint: t('endpoint', '엔드포인트'), experiment: t('experiment', '실험') };
  const to = (p: string) => () => void nav({ to: p as '/' });
  const english = ['home', 'data', 'pipelines', 'experiments', 'models', 'endpoints', 'monitor'];
  const fixed: (Item & { also: string })[] = [
    ...places.map((p, n) => ({ g: t('Places', '화면'), i: p.icon as typeof Database, l: p.l, h: 'G ' + p.k.toUpperCase(), also: english[n] ?? '', go: to(p.to) })),
    { g: t('Places', '화면'), i: Rocket, l: t('Guide', '시작 안내'), h: 'G G', also: 'guide 시작', go: to(href('guide')) },
    { g: t('Places', '화면'), i: Settings, l: t('Settings', '설정'), h: 'G ,', also: 'settings 설정', go: to(href('settings')) },
    { g: t('Places', '화면'), i: FileStack, l: t('Batch predictions', '배치 예측'), h: '', also: 'batch 배치', go: to(href('endpoints', '-', 'batch')) },
    { g: t('Do', '실행'), i: Moon, l: t('Switch light and dark', '밝게/어둡게 전환'), h: 'T', also: 'theme dark light 테마', go: () => setTheme(theme === 'dark' ? 'light' : 'dark') },
    { g: t('Do', '실행'), i: Languages, l: t('한국어로 보기', 'View in English'), h: 'L', also: 'language korean english 언어', go: () => setLang(lang === 'ko' ? 'en' : 'ko') },
  ];
  const items: Item[] = [
    ...found.filter((r) => !pending || matches(r.name, q)).slice(0, 12).map((r) => ({ g: t('Jump to', '바로 가기'), i: ICON[r.kind] as typeof Database, l: r.name, h: `${kind[r.kind]} · ${r.detail}`, go: to(r.href) })),
    ...fixed.filter((x) => matches(x.l + ' ' + x.also, q)),
  ];
  const run = (x?: Item) => { setEnter(false); if (!x) return; set(false); setQ(''); setI(0); x.go(); };
  useEffect(() => { if (enter && !pending) run(items[i]); }); // eslint-disable-line react-hooks/exhaustive-deps
  useEffect(() => { if (!open) setEnter(false); }, [open]);
  return (
    <Modal open={open} onOpenChange={set} title={t('Search and commands', '검색과 명령')} className="pal">
      <div className="pin"><Search size={17} /><input autoFocus role="combobox" aria-label={t('Search', '검색')} aria-expanded aria-controls="pal-list" aria-activedescendant={items.length ? 'pal-' + i : undefined} value={q} placeholder={t('Search anything in this project', '이 프로젝트에서 무엇이든 찾기')} onChange={(e) => { setQ(e.target.value); setI(0); setEnter(false); }}
        onKeyDown={(e) => { if (e.key === 'Enter') { if (pending) setEnter(true); else run(items[i]); } if (!items.length) return; if (e.key === 'ArrowDown') { e.preventDefault(); setI((i + 1) % items.length); } if (e.key === 'ArrowUp') { e.preventDefault(); setI((i - 1 + items.length) % items.length); } }} /></div>
      <div className="list" id="pal-list" role="listbox" aria-label={t('Results', '결과')}>
        {items.map((x, n) => (
          <div key={x.g + x.l + n} role="presentation">
            {(n === 0 || items[n - 1].g !== x.g) && <div className="grp" role="presentation">{x.g}</div>}
            <button className="it" id={'pal-' + n} role="option" aria-selected={n === i} tabIndex={-1} onMouseMove={() => setI(n)} onClick={() => run(x)}><x.i size={15} className="t3" /><span className="trunc">{x.l}</span><span className="hint">{x.h}</span></button>
          </div>
        ))}
        {!items.length && <div className="it t3" role="option" aria-selected="false">{pending ? t('Searching…', '찾는 중…') : t('Nothing found.', '결과가 없습니다.')}</div>}
      </div>
      <div className="pf"><span><kbd>↑↓</kbd> {t('move', '이동')}</span><span><kbd>↵</kbd> {t('open', '열기')}</span><span><kbd>Esc</kbd> {t('close', '닫기')}</span><span className="end"><kbd>?</kbd> {t('all shortcuts', '단축키 전체')}</span></div>
    </Modal>
  );
}
