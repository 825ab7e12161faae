import { type AnyRoute, createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { Home } from './pages/Home';
import { NotFound } from './pages/NotFound';
import { Shell } from './ui/Shell';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const at = (path: string, load: () => Promise<Record<string, unknown>>, name: string) =>
  createRoute({ getParentRoute: () => root, path: '/p/$project' + path, component: lazyRouteComponent(load as never, name as never) as never });
const toDefault = () => { throw redirect({ href: '/p/default' }); };

const routes = [
  createRoute({ getParentRoute: () => root, path: '/', beforeLoad: toDefault }),
  createRoute({ getParentRoute: () => root, path: '/p', beforeLoad: toDefault }),
  createRoute({ getParentRoute: () => root, path: '/p/$project', component: Home }),
  at('/guide', () => import('./pages/Guide'), 'Guide'),
  at('/data', () => import('./pages/DataList'), 'DataList'),
  at('/data/-/streams', () => import('./pages/StreamList'), 'StreamList'),
  at('/data/-/compare', () => import('./pages/CompareData'), 'CompareData'),
  at('/data/$id', () => import('./pages/Dataset'), 'Dataset'),
  at('/pipelines', () => import('./pages/PipelineList'), 'PipelineList'),
  at('/pipelines/$id', () => import('./pages/Pipeline'), 'Pipeline'),
  at('/pipelines/$id/$run', () => import('./pages/PipelineRun'), 'PipelineRun'),
  at('/experiments', () => import('./pages/ExperimentList'), 'ExperimentList'),
  at('/experiments/$id', () => import('./pages/Experiment'), 'Experiment'),
  at('/experiments/$id/compare', () => import('./pages/CompareRuns'), 'CompareRuns'),
  at('/experiments/$id/runs/$run', () => import('./pages/ExperimentRun'), 'ExperimentRun'),
  at('/experiments/$id/traces', () => import('./pages/TraceList'), 'TraceList'),
  at('/experiments/$id/traces/$trace', () => import('./pages/Trace'), 'Trace'),
  at('/models', () => import('./pages/ModelList'), 'ModelList'),
  at('/models/$id', () => import('./pages/Model'), 'Model'),
  at('/endpoints', () => import('./pages/EndpointList'), 'EndpointList'),
  at('/endpoints/-/batch', () => import('./pages/Batch'), 'Batch'),
  at('/endpoints/$id', () => import('./pages/Endpoint'), 'Endpoint'),
  at('/monitor', () => import('./pages/Monitor'), 'Monitor'),
  at('/settings', () => import('./pages/Settings'), 'Settings'),
];
export const router = createRouter({ routeTree: root.addChildren(routes as never[]) as AnyRoute, defaultPreload: 'intent', defaultNotFoundComponent: NotFound });
