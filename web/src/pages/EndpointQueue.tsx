import type { Schemas } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Panel } from '../ui/Panel';

type Settings = { queue_calls?: number; batch_rows?: number; timeout_ms?: number; cache_bytes?: number };

/** Calls that wait for their turn; models of columns answer at once and have no queue. */
export function QueuePanel({ e, className }: { e: Schemas['Endpoint']; className?: string }) {
  const t = useT(); const f = useFmt(); const q = e.queue;
  if (!q) return null;
  const set = ((e.config as { execution?: Settings } | undefined)?.execution ?? {}) as Settings;
  const refused: [string, number | undefined][] = [[t('queue full', '줄이 참'), q.refused.full], [t("caller's limit", '호출자 한도'), q.refused.quota], [t('deadline', '기한'), q.refused.late], [t('caller left', '호출자가 떠남'), q.refused.cancelled]];
  const said = refused.filter(([, n]) => n); const asked = (q.cache.hits ?? 0) + (q.cache.misses ?? 0);
  return (
    <Panel className={className} title={t('Queue', '대기열')} hint={t('calls wait for their turn, no thread with them', '호출은 차례를 기다리고 스레드는 기다리지 않음')}><dl className="kv" style={{ fontSize: 13 }} data-testid="queue">
      <dt>{t('Now', '지금')}</dt><dd className="num">{t(`${f.int(q.waiting)} waiting, ${f.int(q.running)} running`, `대기 ${f.int(q.waiting)}, 실행 ${f.int(q.running)}`)} <span className="t3">{t(`of ${f.int(set.queue_calls ?? 1024)}`, `한도 ${f.int(set.queue_calls ?? 1024)}`)}</span></dd>
      <dt>{t('Together', '함께 실행')}</dt><dd className="num">{q.batches ? t(`${f.fix(q.calls / q.batches, 2)} calls a run`, `한 번에 호출 ${f.fix(q.calls / q.batches, 2)}건`) : '–'} <span className="t3">{(set.batch_rows ?? 1) > 1 ? t(`up to ${f.int(set.batch_rows!)} rows`, `최대 ${f.int(set.batch_rows!)}행`) : t('each alone', '하나씩')}</span></dd>
      <dt>{t('Not answered', '답하지 않음')}</dt><dd className="num">{said.length ? said.map(([why, n]) => `${why} ${f.int(n!)}`).join(', ') : t('none', '없음')}</dd>
      {asked > 0 && <><dt>{t('From the cache', '보관된 답')}</dt><dd className="num">{f.int(q.cache.hits ?? 0)} <span className="t3">({f.pct((q.cache.hits ?? 0) / asked, 1)})</span></dd></>}
    </dl></Panel>
  );
}
