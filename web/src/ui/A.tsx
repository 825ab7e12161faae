import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

/** A link inside the page by its address, which may carry a query. */
export function A({ to, children, className, title }: { to: string; children: ReactNode; className?: string; title?: string }) {
  const [path, query] = to.split('?');
  const search = query ? Object.fromEntries(new URLSearchParams(query)) : undefined;
  return <Link to={path as '/'} search={(search ?? {}) as never} className={className} title={title}>{children}</Link>;
}
