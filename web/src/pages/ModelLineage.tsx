import { Boxes, Database, File, FlaskConical, GitCommitHorizontal, Package, Radio, Workflow } from 'lucide-react';
import type { Schemas } from '../api/client';
import { useApi } from '../api/use';
import { useHref } from '../lib/nav';
import { lineageWord } from '../lib/words';
import { useT } from '../prefs';
import '../styles/runs.css';
import { A } from '../ui/A';
import { Loaded } from '../ui/Loaded';
import { Panel } from '../ui/Panel';

type Graph = { nodes?: { id?: string; kind?: string; name?: string; depth?: number }[]; edges?: { from?: string; to?: string; what?: string }[]; cut?: boolean };
const ICON = { endpoint: Radio, pipeline: Workflow, run: FlaskConical, version: Boxes, model: Boxes, snapshot: Database, dataset: Database, commit: GitCommitHorizontal, environment: Package, artifact: File };

/** What a version came from and what came of it, one column a step. */
export function ModelLineage({ name, v }: { name: string; v: Schemas['ModelVersion'] }) {
  const t = useT(); const query = useApi<Graph>(`/lineage?of=${encodeURIComponent(`version:${name}/${v.version}`)}`);
  return <Loaded query={query}>{(g) => <Panel title={t('Where it came from, and what it serves', '어디에서 왔고 어디에 쓰이는가')} hint={g.cut ? t('a part of it', '일부') : undefined}><Columns g={g} v={v} /></Panel>}</Loaded>;
}

function Columns({ g, v }: { g: Graph; v: Schemas['ModelVersion'] }) {
  const t = useT(); const href = useHref(); const nodes = g.nodes ?? [], edges = g.edges ?? [];
  const depths = [...new Set(nodes.map((n) => n.depth ?? 0))].sort((a, b) => a - b); const byId = new Map(nodes.map((n) => [n.id, n]));
  const short = (kind: string, s: string) => (/^[0-9a-f]{32,64}$/.test(s) ? (kind === 'snapshot' ? s.slice(0, 12) : s.slice(-8)) : s);
  const label = (id?: string) => { const n = byId.get(id); return n ? short(n.kind ?? '', n.name ?? '') : ''; };
  const to = (kind: string, s: string) => kind === 'endpoint' ? href('endpoints', s) : kind === 'run' ? href('experiments', '-', 'runs', s) : kind === 'pipeline' ? href('pipelines', '-', s) : kind === 'version' ? href('models', s.replace(/\/(\d+)$/, '@$1')) : kind === 'snapshot' && v.card.dataset ? href('data', String(v.card.dataset).replace(/@\d+$/, '')) : null;
  return (
    <div className="lin" tabIndex={0} role="group" aria-label={t('Lineage', '계보')}>{depths.map((d) => <ol key={d}>{nodes.filter((n) => (n.depth ?? 0) === d).map((n) => {
      const kind = n.kind ?? '', s = n.name ?? ''; const I = ICON[kind as keyof typeof ICON] ?? Boxes; const link = to(kind, s); const said = edges.filter((e) => (d <= 0 ? e.from === n.id : e.to === n.id));
      return <li key={n.id} className={'lin-n' + (d === 0 ? ' on' : '')}><div className="t3 fs12 row gap1"><I size={13} />{lineageWord(t, kind)}</div>{link && d !== 0 ? <A className="namelink m mono" to={link}><span title={s}>{short(kind, s)}</span></A> : <span className="m mono" title={s}>{short(kind, s)}</span>}{kind === 'snapshot' && Boolean(v.card.dataset) && <div className="t2 fs12">{String(v.card.dataset)}</div>}
        {d !== 0 && said.map((e, i) => <div key={i} className="t3 fs11">{d < 0 ? <>{lineageWord(t, e.what ?? '')} → {label(e.to)}</> : <>{label(e.from)} → {lineageWord(t, e.what ?? '')}</>}</div>)}</li>;
    })}</ol>)}</div>
  );
}
