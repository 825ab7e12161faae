export type Lang = 'en' | 'ko';
const SMALL: Record<string, [string, string]> = { s: ['s', '초'], m: ['m', '분'], h: ['h', '시간'] };

/** Formatters of one language. Numbers keep full digits with commas, minus is the true one, unknown is an en dash. */
export function formatters(lang: Lang) {
  const loc = lang === 'ko' ? 'ko-KR' : 'en-GB';
  const whole = new Intl.NumberFormat(loc);
  const rel = new Intl.RelativeTimeFormat(loc, { numeric: 'auto', style: 'narrow' });
  const day = new Intl.DateTimeFormat(loc, lang === 'ko' ? { month: 'long', day: 'numeric', weekday: 'short', hour: '2-digit', minute: '2-digit', hour12: false } : { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hour12: false });
  const clock = new Intl.DateTimeFormat(loc, { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
  const ok = (n: unknown): n is number => typeof n === 'number' && Number.isFinite(n);
  const minus = (s: string) => s.replace(/^-/, '−');
  const dur = (s: number | null | undefined) => {
    if (!ok(s)) return '–';
    if (s === 0) return `0 ${SMALL.s[0]}`;
    if (s < 0.001) return `${s < 1e-5 ? +(s * 1e6).toFixed(1) : Math.round(s * 1e6)} µs`;
    if (s < 1) return `${s < 0.1 ? +(s * 1000).toPrecision(2) : Math.round(s * 1000)} ms`;
    if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} ${SMALL.s[0]}`;
    if (s < 3600) return `${Math.floor(s / 60)}m ${String(Math.floor(s % 60)).padStart(2, '0')}s`;
    if (s < 86400 * 2) return `${Math.floor(s / 3600)}h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
    return `${Math.floor(s / 86400)} d`;
  };
  return {
    int: (n: number | null | undefined) => (ok(n) ? minus(whole.format(n)) : '–'),
    fix: (n: number | null | undefined, d = 3) => (ok(n) ? minus(n.toFixed(d)) : '–'),
    pct: (n: number | null | undefined, d = 1) => (ok(n) ? minus((n * 100).toFixed(d)) + '%' : '–'),
    sig: (n: unknown, d = 3): string => (ok(n) ? (Math.abs(n) >= 10000 ? minus(whole.format(Math.round(n))) : minus(Math.abs(n) >= 10 ** d || Number.isInteger(n) ? String(Math.round(n)) : String(+n.toPrecision(d)))) : n == null ? '–' : String(n)),
    signed: (n: number | null | undefined, d = 3) => (ok(n) ? (n > 0 ? '+' : n < 0 ? '−' : '±') + Math.abs(n).toFixed(d) : '–'),
    bytes: (n: number | null | undefined) => { if (!ok(n)) return '–'; const u = ['B', 'kB', 'MB', 'GB', 'TB']; let i = 0; let v = n; while (v >= 1000 && i < 4) { v /= 1000; i++; } return `${v < 10 && i ? v.toFixed(1) : Math.round(v)} ${u[i]}`; },
    dur,
    us: (n: number | null | undefined) => (ok(n) ? dur(n / 1e6) : '–'),
    ago: (us: number | null | undefined, nowMs = Date.now()) => {
      if (!ok(us) || us <= 0) return '–';
      const sec = Math.max(0, nowMs / 1000 - us / 1e6);
      return sec < 60 ? rel.format(-Math.round(sec), 'second') : sec < 3600 ? rel.format(-Math.round(sec / 60), 'minute') : sec < 86400 ? rel.format(-Math.round(sec / 3600), 'hour') : rel.format(-Math.round(sec / 86400), 'day');
    },
    date: (us: number | null | undefined) => (ok(us) && us > 0 ? day.format(us / 1000) : '–'),
    clock: (us: number | null | undefined) => (ok(us) && us > 0 ? clock.format(us / 1000) : '–'),
    iso: (us: number | null | undefined) => (ok(us) && us > 0 ? new Date(us / 1000).toISOString() : ''),
  };
}

const NOUNS = /(?<![\d.,])1 (model|pipeline|dataset|set|warning|error|experiment|run|endpoint|alert|version|row|column|trace|span|token|request|gate|file|input|trial)s\b/g;
/** English counts exactly one of a thing without an s. */
export const singular = (text: string) => (text.includes('1 ') ? text.replace(NOUNS, '1 $1') : text);
