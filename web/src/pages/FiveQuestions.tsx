import { num, type Schemas } from '../api/client';
import { josa } from '../lib/josa';
import { useFmt, useT } from '../prefs';
import { Panel } from '../ui/Panel';
import { StatusIcon } from '../ui/StatusIcon';

const ORDER = ['centre', 'mode', 'symmetry', 'skewness', 'likelihood'];

/** Old and new value of each question with its verdict; the bar is the change as a share of its limit. */
export function FiveQuestions({ column, drift, from, to }: { column: string; drift: Schemas['DriftColumn']; from: number | string; to: number | string }) {
  const t = useT(); const f = useFmt(); const [a, b] = [from, to].map((x) => (typeof x === 'number' ? '@' + x : x));
  const text: Record<string, string> = { centre: t('Has the centre moved?', '중심이 이동했나요?'), mode: t('Is the peak elsewhere?', '봉우리(최빈값)가 바뀌었나요?'), symmetry: t('Is it less symmetric?', '대칭이 깨졌나요?'), skewness: t('Is the tail longer?', '꼬리가 길어졌나요?'), likelihood: t(`How likely is ${b} under ${a}?`, `${a} 기준으로 ${josa(b, '이/가')} 나올 법한가요?`) };
  const keys = [...ORDER.filter((k) => drift.questions[k]), ...Object.keys(drift.questions).filter((k) => !ORDER.includes(k))];
  return (
    <Panel title={t('Five questions', '다섯 가지 질문')} hint={`${column} · ${a} → ${b}`} flush>
      <div className="five">{keys.map((k) => {
        const x = drift.questions[k]; const value = num(x.value), limit = num(x.limit); const w = value != null && limit ? Math.max(-1, Math.min(1, value / (2 * limit))) : 0;
        const shown = (v: unknown) => f.sig(typeof v === 'number' ? v : num(v) ?? (v == null || v === '' ? null : v));
        return <div key={k} className="fq"><StatusIcon s={x.verdict} /><span className="m">{text[k] ?? k}</span><span className="num t3 right trunc" title={shown(x.old)}>{shown(x.old)}</span><span className="t3">→</span><span className="num right trunc" title={shown(x.new)}>{shown(x.new)}</span><span className="num fd" title={limit != null ? t(`limit ${f.sig(limit)}`, `기준 ${f.sig(limit)}`) + (x.reason ? ': ' + x.reason : '') : ''}><i className="dev"><b style={{ left: w < 0 ? `${50 + w * 50}%` : '50%', width: `${Math.abs(w) * 50}%`, background: x.verdict === 'bad' ? 'var(--bad-fill)' : x.verdict === 'warn' ? 'var(--warn-fill)' : 'var(--idle-fill)' }} /></i><span className={x.verdict === 'ok' ? 't3' : x.verdict}>{f.sig(value)}</span></span></div>;
      })}</div>
    </Panel>
  );
}
