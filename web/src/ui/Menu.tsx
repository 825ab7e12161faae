import { DropdownMenu as DM } from 'radix-ui';
import { type ReactNode } from 'react';

export function Menu({ trigger, children, align = 'end' }: { trigger: ReactNode; children: ReactNode; align?: 'start' | 'end' }) {
  return <DM.Root><DM.Trigger asChild>{trigger}</DM.Trigger><DM.Portal><DM.Content className="menu" align={align} sideOffset={5} collisionPadding={8}>{children}</DM.Content></DM.Portal></DM.Root>;
}
export const MenuItem = DM.Item;
