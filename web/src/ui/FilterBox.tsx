import { Filter, X } from 'lucide-react';
import { useEffect, useId, useRef, useState } from 'react';
import type { Schemas } from '../api/client';
import { complete, errorAt } from '../lib/filter';
import { useT } from '../prefs';

/** The filter of runs, with completion; an error of the server stands below, a mark under the place that it names. */
export function FilterBox({ value, onChange, keys, error, placeholder }: { value: string; onChange(v: string): void; keys: Schemas['RunKeys'] | undefined; error?: { message: string; hint: string } | null; placeholder?: string }) {
  const t = useT(); const id = useId(); const input = useRef<HTMLInputElement>(null); const [text, setText] = useState(value); const [caret, setCaret] = useState(value.length); const [open, setOpen] = useState(false); const [at, setAt] = useState(-1);
  const sent = useRef(value);
  useEffect(() => { if (value !== sent.current) { sent.current = value; setText(value); } }, [value]);
  useEffect(() => { if (text === sent.current) return; const k = setTimeout(() => { sent.current = text; onChange(text); }, 350); return () => clearTimeout(k); }, [text, onChange]);
  const found = open && keys ? complete(text, caret, keys) : { from: 0, list: [] }; const list = found.list;
  const take = (i: number) => { const s = list[i]; const next = text.slice(0, found.from) + s.insert + text.slice(caret); const to = found.from + s.insert.length; setText(next); setCaret(to); setAt(-1); requestAnimationFrame(() => { input.current?.focus(); input.current?.setSelectionRange(to, to); }); };
  const now = (v: string) => { sent.current = v; onChange(v); setOpen(false); };
  const bad = error ? errorAt(error.message, text) : null;
  return (
    <div className="fbox grow">
      <label className={'filter mono' + (error ? ' wrong' : '')}><Filter size={13} /><span className="sr">{t('Filter', '거르기')}</span>
        <input ref={input} value={text} role="combobox" aria-expanded={list.length > 0} aria-controls={id} aria-autocomplete="list" aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined} aria-invalid={!!error} spellCheck={false} autoComplete="off" placeholder={placeholder ?? t('A name, or metrics.loss < 0.3 AND params.depth = \'6\'', '이름, 또는 metrics.loss < 0.3 AND params.depth = \'6\'')}
          onChange={(e) => { setText(e.target.value); setCaret(e.target.selectionStart ?? e.target.value.length); setOpen(true); setAt(-1); }} onSelect={(e) => setCaret(e.currentTarget.selectionStart ?? 0)} onFocus={() => setOpen(true)} onBlur={() => setTimeout(() => setOpen(false), 150)}
          onKeyDown={(e) => {
            if (e.key === 'ArrowDown' && list.length) { e.preventDefault(); setAt((at + 1) % list.length); } else if (e.key === 'ArrowUp' && list.length) { e.preventDefault(); setAt((at - 1 + list.length) % list.length); }
            else if (e.key === 'Tab' && list.length && !e.shiftKey) { e.preventDefault(); take(Math.max(0, at)); } else if (e.key === 'Enter') { if (at >= 0) take(at); else now(text); } else if (e.key === 'Escape') setOpen(false);
          }} />
        {text && <button className="btn ghost icon sm" aria-label={t('Clear', '지우기')} onClick={() => { setText(''); now(''); }}><X size={12} /></button>}<kbd>F</kbd></label>
      {list.length > 0 && <div className="menu fopts" id={id} role="listbox" aria-label={t('Suggestions', '제안')}>{list.map((s, i) => <div key={s.text} id={`${id}-${i}`} role="option" aria-selected={i === at} className={'mi' + (i === at ? ' on' : '')} onMouseDown={(e) => { e.preventDefault(); take(i); }}><span className="mono fs12 trunc">{s.text}</span></div>)}</div>}
      {error && <div className="ferr fs12" role="alert">{bad != null && bad <= text.length && <div className="mono t3 pre" aria-hidden="true">{text.slice(Math.max(0, bad - 24), bad)}<mark>{text.slice(bad, bad + 12) || '␣'}</mark>{text.slice(bad + 12, bad + 40)}</div>}<span className="bad">{error.message}</span>{error.hint && <span className="t2"> {error.hint}</span>}</div>}
    </div>
  );
}
