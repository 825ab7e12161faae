import { useApi, useLive, type Json } from '../api/client';
import { useFmt, useT } from '../prefs';
import { Chip } from '../ui/Chip';
import { usePage } from './trail';
import { ListPage } from './ListPage';
import { ageOf } from './state';

export function DataList() {
  const t = useT(); const f = useFmt();
  usePage([[t('Data', '데이터')]], 'maru data list', '/datasets');
  useLive(['project:default'], ['/datasets']);
  return <ListPage title={t('Data', '데이터')} query={useApi('/datasets')} rows={(d) => d.datasets} id={(r) => r.name} to={(i) => '/p/default/data/' + encodeURIComponent(i)}
    empty={{ title: t('No data yet', '아직 데이터가 없습니다'), text: t('CSV, TSV, JSON lines, Parquet and ARFF become immutable snapshots.', 'CSV, TSV, JSON lines, Parquet, ARFF 파일이 변하지 않는 스냅숏이 됩니다.'), command: 'maru data import FILE --name NAME' }}
    cols={[
      { id: 'name', head: t('Dataset', '데이터셋'), w: 'minmax(180px, 2fr)', cell: (r: Json) => <span><b>{r.name}</b> <span className="t3">@{r.number}</span></span>, sort: (r) => r.name },
      { id: 'state', head: t('Health', '상태'), w: '130px', cell: (r) => r.errors == null ? <span className="t3">{t('not checked', '검사 전')}</span> : <Chip s={r.errors ? 'bad' : r.warnings ? 'warn' : 'ok'}>{r.errors ? t(`${r.errors} errors`, `오류 ${r.errors}`) : r.warnings ? t(`${r.warnings} remarks`, `주의 ${r.warnings}`) : t('as expected', '정상')}</Chip> },
      { id: 'rows', head: t('Rows', '행'), w: '120px', r: true, cell: (r) => f.int(r.rows), sort: (r) => r.rows },
      { id: 'columns', head: t('Columns', '열'), w: '90px', r: true, cell: (r) => r.columns, sort: (r) => r.columns },
      { id: 'size', head: t('Size', '크기'), w: '100px', r: true, cell: (r) => f.bytes(r.bytes), sort: (r) => r.bytes },
      { id: 'source', head: t('Source', '출처'), w: 'minmax(160px, 2fr)', cell: (r) => <span className="t2 trunc mono fs12" title={r.source}>{r.source || 'SQL'}</span> },
      { id: 'age', head: t('Updated', '갱신'), w: '120px', r: true, cell: (r) => <span className="t3">{f.ago(ageOf(r.updated_us))}</span>, sort: (r) => -r.updated_us },
    ]} />;
}
