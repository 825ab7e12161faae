import { RotateCcw, XCircle } from 'lucide-react';
import { ApiError } from '../api/client';
import { ERRORS } from '../lib/words';
import { useT } from '../prefs';

/** What went wrong, why, and what to do: one card for every failed request. */
export function ErrorNote({ error, retry }: { error: Error; retry?(): void }) {
  const t = useT(); const e = error instanceof ApiError ? error : null;
  const word = ERRORS[e?.code ?? ''];
  const title = e?.status === 0 ? t('The server does not answer.', '서버가 응답하지 않습니다.') : word ? t(word[0], word[1]) : e?.status === 404 ? t('This is not here.', '찾는 것이 없습니다.') : t('This could not be done.', '요청을 처리하지 못했습니다.');
  return (
    <div className="note n-bad" role="alert"><XCircle size={16} className="bad" />
      <div className="grow col" style={{ gap: 5 }}>
        <div className="b">{title}</div><div className="t2 pre">{error.message}</div>{e?.hint && <div className="t2 fs12 pre">{e.hint}</div>}
        <div className="row wrap">{retry && <button className="btn sm" onClick={retry}><RotateCcw size={12} />{t('Try again', '다시 시도')}</button>}{e && <code className="fs12 t2">{e.status || ''} {e.code}{e.requestId ? ` · ${e.requestId}` : ''}</code>}</div>
      </div>
    </div>
  );
}
