/** Has the last syllable a final consonant? Digits and Latin letters are read the Korean way. */
export function hasFinal(word: string): boolean {
  const last = word.trim().slice(-1);
  const code = last.charCodeAt(0);
  if (code >= 0xac00 && code <= 0xd7a3) return (code - 0xac00) % 28 !== 0;
  if (/[0-9]/.test(last)) return '013678'.includes(last);
  return /[lmnrLMNR]/.test(last);
}

/** josa('모델', '을/를') is '모델을': the form before the slash follows a final consonant. */
export function josa(word: string, pair: string): string {
  if (pair === '으로/로' && /[178lrLR]$|[가-힣]$/.test(word) && (/[178lrLR]$/.test(word) || (word.charCodeAt(word.length - 1) - 0xac00) % 28 === 8)) return word + '로';
  const [closed, open] = pair.split('/');
  return word + (hasFinal(word) ? closed : open);
}
