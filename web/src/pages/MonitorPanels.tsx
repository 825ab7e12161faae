import { num, type Schemas } from '../api/client';
import { useApi } from '../api/use';
import { Heat } from '../charts/Heat';
import { TimeChart } from '../charts/TimeChart';
import { metricLabel } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { ErrorNote } from '../ui/ErrorNote';
import { Panel } from '../ui/Panel';
import { AlertList } from './AlertList';

/** Drift by window, realised quality and alerts of one endpoint. */
export function MonitorPanels({ endpoint }: { endpoint: string }) {
  const t = useT(); const f = useFmt(); const q = useApi<Schemas['Monitor']>(`/endpoints/${encodeURIComponent(endpoint)}/monitor`, { live: 15000 });
  if (q.error && !q.data) return <div className="c12"><ErrorNote error={q.error} /></div>;
  if (!q.data) return null;
  const w = [...q.data.windows].reverse(); const config = q.data.config;
  if (!config) return <Panel className="c12" title={t('Monitor', '모니터')}><p className="t3">{t('This endpoint is not watched. Add `monitor` to the project file.', '이 엔드포인트는 지켜보지 않습니다. 프로젝트 파일에 monitor를 추가하세요.')}</p></Panel>;
  const names = [...new Set(w.flatMap((x) => x.report.columns.map((c) => c.name)))]; const score = (n: string) => w.map((x) => x.report.columns.find((c) => c.name === n)?.score ?? 0);
  const ranked = names.map((n) => ({ n, v: score(n), hits: w.filter((x) => x.drifting.includes(n)).length })).sort((a, b) => b.hits - a.hits || Math.max(...b.v) - Math.max(...a.v)).slice(0, 16);
  const heat = ranked.map((r) => r.v.map((v, j) => (w[j].drifting.includes(r.n) ? Math.max(v, 1.0001) : Math.min(v, 0.9999)))); const labels = w.map((_, i) => String(i + 1));
  const known = w.map((x, i) => ({ i: i + 1, y: num(x.realised), lo: num(x.low), hi: num(x.high) })).filter((x) => x.y != null); const metric = metricLabel(t, config.metric);
  return (
    <>
      <Panel className="c6 m12" title={t('Realised quality', '실제 성능')} hint={t(`${metric} by window, when labels have come`, `라벨이 도착한 구간별 ${metric}`)}>{known.length > 1 ? <TimeChart label={t(`Realised ${metric}, last ${f.fix(known[known.length - 1].y)}`, `실제 ${metric}, 최근 ${f.fix(known[known.length - 1].y)}`)} height={210} yw={52} x={known.map((k) => k.i)} bands={[[3, 2, 'color-mix(in srgb, #5a7be0 14%, transparent)']]} lines={[{ label: metric, color: 'var(--c1)', y: known.map((k) => k.y), width: 2 }, { label: 'low', color: 'transparent', y: known.map((k) => k.lo), width: 0 }, { label: 'high', color: 'transparent', y: known.map((k) => k.hi), width: 0 }]} hlines={config.reference_metric != null ? [{ y: config.reference_metric, label: t('when promoted', '승격 당시'), tone: 'var(--text-3)' }] : undefined} /> : <p className="t3">{known.length ? <>{metric} <b>{f.fix(known[0].y)}</b> [{f.fix(known[0].lo)}, {f.fix(known[0].hi)}]</> : t('No label has come yet. Send them to /feedback.', '아직 라벨이 없습니다. /feedback으로 보내 주세요.')}</p>}
        {w.length > 0 && <p className="fs12 t3" style={{ marginTop: 6 }}>{t(`newest window: ${f.int(w[w.length - 1].labelled)} of ${f.int(w[w.length - 1].rows)} labelled`, `최신 구간: ${f.int(w[w.length - 1].rows)}건 중 ${f.int(w[w.length - 1].labelled)}건 라벨`)}</p>}</Panel>
      <Panel className="c6 m12" title={t('Drift by input and window', '입력·구간별 드리프트')} hint={t('outlined cells are over their limit', '테두리 칸은 기준 초과')}>{ranked.length ? <Heat label={t('Drift by input and window', '입력·구간별 드리프트')} rows={ranked.map((r) => r.n)} cols={labels} v={heat} breach={1} cell={22} /> : <p className="t3">{t(`A window needs ${f.int(config.min_rows)} requests.`, `구간마다 요청 ${f.int(config.min_rows)}건이 필요합니다.`)}</p>}</Panel>
      <div className="c12"><AlertList alerts={q.data.alerts} /></div>
    </>
  );
}
