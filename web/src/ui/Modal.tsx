import { Dialog as D } from 'radix-ui';
import { type ReactNode } from 'react';

export function Modal({ open, onOpenChange, title, children, className = '' }: { open: boolean; onOpenChange(o: boolean): void; title: string; children: ReactNode; className?: string }) {
  return <D.Root open={open} onOpenChange={onOpenChange}><D.Portal><D.Overlay className="scrim" /><D.Content className={'dialog ' + className} aria-describedby={undefined}><D.Title className="sr">{title}</D.Title>{children}</D.Content></D.Portal></D.Root>;
}
