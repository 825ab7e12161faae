import { useParams } from '@tanstack/react-router';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { stateOf, stateWord, triggerWord } from '../lib/words';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import type { Col } from '../ui/DataGrid';
import { Empty } from '../ui/Empty';
import { ListPage } from '../ui/ListPage';
import { Loaded } from '../ui/Loaded';
import { curl, usePage } from '../ui/page';

type Row = Schemas['RunRow'];

/** All runs of one pipeline. */
export function Pipeline() {
  const { id } = useParams({ strict: false }) as { id: string }; const t = useT(); const f = useFmt(); const href = useHref();
  const path = `/pipelines/${encodeURIComponent(id)}/runs`;
  usePage([[t('Pipelines', '파이프라인'), href('pipelines')], [id]], { cli: `maru pipeline runs ${id}`, curl: curl(path) });
  const query = useApi<Schemas['RunList']>(path, { live: 5000 });
  const cols: Col<Row>[] = [
    { id: 's', head: t('State', '상태'), w: '120px', cell: (r) => <Chip s={stateOf(r.state)}>{stateWord(t, r.state)}</Chip> },
    { id: 'i', head: t('Run', '실행'), w: '110px', cell: (r) => <code>{r.id.slice(-8)}</code> },
    { id: 'a', head: t('Started', '시작'), w: '150px', cell: (r) => <span title={f.iso(r.created_us)}>{f.date(r.created_us)}</span>, sort: (r) => r.created_us },
    { id: 't', head: t('Started by', '시작 조건'), w: 'minmax(120px, 1fr)', cell: (r) => <span className="t2">{triggerWord(t, r.trigger)}</span> },
    { id: 'k', head: t('Tasks', '작업'), w: '90px', r: true, cell: (r) => `${r.tasks.filter((x) => x.state === 'succeeded').length}/${r.tasks.length}` },
    { id: 'd', head: t('Time', '시간'), w: '90px', r: true, cell: (r) => f.dur(r.seconds), sort: (r) => r.seconds },
    { id: 'e', head: t('Error', '오류'), w: 'minmax(140px, 1.4fr)', cell: (r) => <span className="bad" title={r.error}>{r.error}</span> },
  ];
  return <Loaded query={query}>{(d) => <ListPage title={id} meta={<span>{t(`${d.runs.length} runs`, `실행 ${d.runs.length}회`)}</span>} rows={d.runs} cols={cols} id={(r) => r.id} text={(r) => `${r.id} ${r.state} ${r.trigger}`} to={(r) => href('pipelines', id, r.id)} rowH={38} empty={<Empty title={t('No run yet', '아직 실행이 없습니다')} text="" command="maru run" />} />}</Loaded>;
}
