import { useState } from 'react';
import type { Schemas } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Seg } from '../ui/Seg';

const kMost = 12;
type Side = { base?: number; raw_score?: number; contributions?: Record<string, number> };

/** What each column added to a raw score: bars to the left lower it, bars to the right raise it; the largest first, the rest as one. */
export function Pulls({ e, of }: { e: Schemas['Explanation']; of?: string }) {
  const t = useT(); const names = Object.keys(e.classes ?? {}); const [chosen, choose] = useState<string | null>(null);
  const name = chosen && names.includes(chosen) ? chosen : of && names.includes(of) ? of : names[0];
  const side: Side = name != null && e.classes ? e.classes[name] ?? {} : e;
  const scale = { value: t('on the answer’s own scale', '답과 같은 척도'), log_odds: t('in log-odds', '로그 오즈'), log: t('in logarithms', '로그 척도'), probability: t('in probability', '확률') }[e.scale];
  return (
    <div className="col" style={{ gap: 8 }} data-testid="contributions">
      <div className="row wrap"><b>{t('What each column added', '열마다 더한 값')}</b><span className="t3">{scale}</span>{names.length > 1 && names.length <= 6 && <Seg label={t('Class', '클래스')} value={name ?? ''} onChange={choose} options={names.map((n) => [n, n])} />}</div>
      <Bars side={side} />
    </div>
  );
}

function Bars({ side }: { side: Side }) {
  const t = useT(); const f = useFmt();
  const all = Object.entries(side.contributions ?? {}).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const shown = all.slice(0, all.length > kMost + 1 ? kMost : undefined); const rest = all.slice(shown.length);
  const rows: [string, number][] = rest.length ? [...shown, [t(`${rest.length} more columns`, `나머지 ${rest.length}개 열`), rest.reduce((s, r) => s + r[1], 0)]] : shown;
  const most = Math.max(1e-300, ...rows.map((r) => Math.abs(r[1])));
  const number = (v: number) => f.sig(v, 3);
  return (
    <div className="pulls">
      <span className="t3">{t('without knowing the row', '행을 모를 때')}</span><i /><span className="num t3">{number(side.base ?? 0)}</span>
      {rows.map(([column, v]) => [
        <span key={column + 'l'} className="t2 trunc mono" title={column}>{column}</span>,
        <i key={column + 'b'}><b className={v < 0 ? 'down' : 'up'} style={{ width: `${(Math.abs(v) / most) * 50}%` }} /></i>,
        <span key={column + 'v'} className="num">{v > 0 ? '+' : ''}{number(v)}</span>,
      ])}
      <span>{t('raw score', '원점수')}</span><i /><b className="num">{number(side.raw_score ?? 0)}</b>
    </div>
  );
}
