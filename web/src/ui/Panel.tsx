import { type ReactNode, type CSSProperties } from 'react';

export function Panel({ title, hint, right, children, footer, className = '', flush, style, id }: { title?: ReactNode; hint?: ReactNode; right?: ReactNode; children: ReactNode; footer?: ReactNode; className?: string; flush?: boolean; style?: CSSProperties; id?: string }) {
  return (
    <section className={`panel ${className}`} style={style} id={id}>
      {title && <header><h2>{title}</h2>{hint && <span className="hint">{hint}</span>}{right && <div className="end row gap1">{right}</div>}</header>}
      <div className={'body' + (flush ? ' flush' : '')}>{children}</div>
      {footer && <footer>{footer}</footer>}
    </section>
  );
}
