import { Tooltip as TT } from 'radix-ui';
import { type ReactNode } from 'react';

export function Tip({ label, children }: { label: ReactNode; children: ReactNode }) {
  return <TT.Root><TT.Trigger asChild>{children}</TT.Trigger><TT.Portal><TT.Content className="tip" sideOffset={5} collisionPadding={8}>{label}</TT.Content></TT.Portal></TT.Root>;
}
