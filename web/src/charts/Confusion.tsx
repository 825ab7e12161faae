import { useFmt, useT } from '../prefs';

/** Rows are what it was, columns what was said; shades are shares of a row. */
export function Confusion({ cm, labels }: { cm: number[][]; labels: string[] }) {
  const t = useT(); const f = useFmt(); const name = (i: number) => labels[i] ?? String(i);
  return (
    <div style={{ display: 'grid', gridTemplateColumns: `auto repeat(${cm.length}, 1fr)`, gap: 3, fontSize: 12 }} role="img" aria-label={`${t('Confusion matrix', '혼동 행렬')}: ${cm.map((r, i) => `${name(i)} ${r.join(' / ')}`).join(', ')}`}>
      <span />{cm.map((_, i) => <span key={i} className="t3 fs11 trunc" style={{ textAlign: 'center' }}>{t('said', '예측')} {name(i)}</span>)}
      {cm.map((r, i) => { const s = r.reduce((a, b) => a + b, 0) || 1; return [<span key={i + 'l'} className="t3 fs11" style={{ alignSelf: 'center', paddingRight: 4 }}>{t('is', '실제')} {name(i)}</span>, ...r.map((v, j) => { const p = v / s; return <div key={i + '-' + j} style={{ background: `color-mix(in srgb, ${i === j ? 'var(--c1)' : 'var(--bad-fill)'} ${Math.round(p * 32 + 5)}%, var(--heat-0))`, borderRadius: 4, padding: '7px 8px', minHeight: 46, minWidth: 0 }}><div className="num b" style={{ lineHeight: 1.2 }}>{f.int(v)}</div><div className="num fs11">{f.pct(p)}</div></div>; })]; })}
    </div>
  );
}
