import { curl, usePage as useShellPage, type Page } from '../ui/page';

/** A page's trail, the verb and the API path that give the same view. */
export const usePage = (crumbs: Page['crumbs'], cli: string, path: string) => useShellPage(crumbs, { cli, curl: curl(path) });
