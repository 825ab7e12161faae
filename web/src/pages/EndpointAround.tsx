import type { Schemas } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Panel } from '../ui/Panel';
import type { Look } from './TryIt';

type Config = { fallback?: { prediction?: unknown; probability?: number }; features?: { key?: string | string[]; columns?: string[] } };

export function lookOf(e: Schemas['Endpoint']): Look | undefined {
  const looks = (e.config as Config | undefined)?.features;
  return looks ? { key: [looks.key ?? []].flat(), columns: looks.columns ?? [] } : undefined;
}

/** What stands around the model: columns looked up by key, and the answer without a model. Nothing when neither is declared. */
export function AroundPanel({ e, className }: { e: Schemas['Endpoint']; className?: string }) {
  const t = useT(); const f = useFmt(); const l = e.features;
  const config = e.config as Config | undefined; const look = lookOf(e);
  const fallback = config?.fallback;
  if (!l && !fallback) return null;
  const all = (l?.found ?? 0) + (l?.missing ?? 0);
  return (
    <Panel className={className} title={t('Around the model', '모델 주변')}><dl className="kv" style={{ fontSize: 13 }} data-testid="around">
      {l && <><dt>{t('Looked up', '조회하는 열')}</dt><dd><code>{look?.columns.join(', ')}</code> {t('by', '기준')} <code>{look?.key.join(', ')}</code></dd>
        <dt>{t('From', '출처')}</dt><dd>{l.dataset} <span className="t3 num">{t(`${f.int(l.rows ?? 0)} rows, ${f.bytes(l.bytes ?? 0)} in memory`, `${f.int(l.rows ?? 0)}행, 메모리 ${f.bytes(l.bytes ?? 0)}`)}</span></dd>
        <dt>{t('Snapshot made', '스냅샷 생성')}</dt><dd>{l.updated_us ? f.ago(l.updated_us) : '–'} {l.is_stale && <span className="bad">{t('too old', '오래됨')}</span>}</dd>
        <dt>{t('Rows', '행')}</dt><dd className="num">{t(`${f.int(l.found ?? 0)} found, ${f.int(l.missing ?? 0)} missing`, `찾음 ${f.int(l.found ?? 0)}, 없음 ${f.int(l.missing ?? 0)}`)}{all > 0 && ` (${f.pct((l.found ?? 0) / all, 1)})`}{l.stale ? t(`, ${f.int(l.stale)} stale`, `, 오래됨 ${f.int(l.stale)}`) : ''}</dd>
        {l.reason && <><dt>{t('Not renewed', '갱신 안 됨')}</dt><dd className="bad">{l.reason}</dd></>}</>}
      {fallback && <><dt>{t('Without a model', '모델이 없을 때')}</dt><dd><b>{String(fallback.prediction)}</b>{fallback.probability != null && <span className="num t2"> {f.pct(fallback.probability, 1)}</span>}</dd><dt>{t('Answered so', '그렇게 답한 요청')}</dt><dd className="num">{f.int(e.fallback_answers ?? 0)}</dd></>}
    </dl></Panel>
  );
}
