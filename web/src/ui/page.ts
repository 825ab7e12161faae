import { createContext, useContext, useEffect, type ReactNode } from 'react';

export type Commands = { cli: string; curl: string; py?: string };
export type Page = { crumbs: [ReactNode, string?][]; cmd: Commands };
export const PageContext = createContext<(p: Page) => void>(() => {});

/** A page tells the shell its trail and the commands that give the same thing outside the browser. */
export function usePage(crumbs: Page['crumbs'], cmd: Commands) {
  const set = useContext(PageContext);
  const key = JSON.stringify([crumbs.map((c) => [String(c[0]), c[1]]), cmd]);
  useEffect(() => {
    set({ crumbs, cmd }); document.title = [...crumbs].reverse().map((c) => String(c[0])).concat('Maru').join(' · ');
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key]);
}
export const curl = (path: string) => `curl -s '${location.origin}/api/v1${path}'`;
