import { type ReactNode } from 'react';

/** A safe part of Markdown: headings, lists, quotes, code, tables, emphasis, links. It makes elements, never HTML. */
export function Markdown({ text }: { text: string }) {
  const lines = text.replace(/\r\n?/g, '\n').split('\n'); const out: ReactNode[] = []; let i = 0;
  const special = /^(#{1,6}\s|```|>\s?|[-*+]\s+|\d+[.)]\s+|\|)/;
  while (i < lines.length) {
    const l = lines[i]; const key = out.length;
    if (!l.trim()) { i++; continue; }
    if (l.startsWith('```')) { const body = []; for (i++; i < lines.length && !lines[i].startsWith('```'); i++) body.push(lines[i]); i++; out.push(<pre key={key} className="code" tabIndex={0}>{body.join('\n')}</pre>); continue; }
    const h = /^(#{1,6})\s+(.*)/.exec(l); if (h) { const H = h[1].length === 1 ? 'h3' : h[1].length === 2 ? 'h4' : 'h5'; out.push(<H key={key}>{inline(h[2])}</H>); i++; continue; }
    if (/^>\s?/.test(l)) { const body = []; for (; i < lines.length && /^>\s?/.test(lines[i]); i++) body.push(lines[i].replace(/^>\s?/, '')); out.push(<blockquote key={key}>{inline(body.join(' '))}</blockquote>); continue; }
    const item = /^\s*([-*+]|\d+[.)])\s+(.*)/; if (item.test(l)) { const body: ReactNode[] = []; const L = /^\s*\d/.test(l) ? 'ol' : 'ul'; for (; i < lines.length && item.test(lines[i]); i++) body.push(<li key={i}>{inline(item.exec(lines[i])![2])}</li>); out.push(<L key={key}>{body}</L>); continue; }
    if (l.startsWith('|') && /^\|[\s:|-]+\|?\s*$/.test(lines[i + 1] ?? '')) { const cells = (s: string) => s.replace(/^\||\|\s*$/g, '').split('|').map((c) => c.trim()); const head = cells(l); const body = []; for (i += 2; i < lines.length && lines[i].startsWith('|'); i++) body.push(cells(lines[i])); out.push(<table key={key}><thead><tr>{head.map((c, k) => <th key={k}>{inline(c)}</th>)}</tr></thead><tbody>{body.map((r, n) => <tr key={n}>{head.map((_, k) => <td key={k}>{inline(r[k] ?? '')}</td>)}</tr>)}</tbody></table>); continue; }
    const body = [l]; for (i++; i < lines.length && lines[i].trim() && !special.test(lines[i]); i++) body.push(lines[i]); out.push(<p key={key}>{inline(body.join(' '))}</p>);
  }
  return <div className="md">{out}</div>;
}
function inline(text: string): ReactNode[] {
  const out: ReactNode[] = []; const mark = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)|(https?:\/\/[^\s)<>]+)/g; let from = 0;
  for (let m = mark.exec(text); m; m = mark.exec(text)) {
    if (m.index > from) out.push(text.slice(from, m.index)); const key = m.index; const url = m[5] ?? m[6];
    if (m[1] != null) out.push(<code key={key}>{m[1]}</code>); else if (m[2] != null) out.push(<b key={key}>{m[2]}</b>); else if (m[3] != null) out.push(<em key={key}>{m[3]}</em>);
    else out.push(/^https?:\/\//.test(url) ? <a key={key} href={url} rel="noopener noreferrer nofollow" target="_blank">{m[4] ?? url}</a> : m[4] ?? url);
    from = m.index + m[0].length;
  }
  if (from < text.length) out.push(text.slice(from)); return out;
}
