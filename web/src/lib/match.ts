const INITIALS = 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ';

/** The initial consonants of the Hangul syllables of a text; other characters as they are. */
export function initials(text: string): string {
  return [...text].map((c) => { const n = c.charCodeAt(0) - 0xac00; return n >= 0 && n < 11172 ? INITIALS[Math.floor(n / 588)] : c; }).join('');
}

/** Does a text contain what was typed, as letters or as Korean initials (ㅁㄷ finds 모델)? */
export function matches(text: string, typed: string): boolean {
  const q = typed.trim().toLowerCase();
  return !q || text.toLowerCase().includes(q) || initials(text).includes(q);
}
