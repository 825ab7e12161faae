import 'pretendard/dist/web/variable/pretendardvariable-dynamic-subset.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/ui.css';
import './styles/pages.css';
import './styles/live.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { Tooltip } from 'radix-ui';
import { createRoot } from 'react-dom/client';
import { queryClient } from './api/client';
import { PrefsProvider } from './prefs';
import { router } from './router';

createRoot(document.getElementById('root')!).render(
  <QueryClientProvider client={queryClient}>
    <PrefsProvider><Tooltip.Provider delayDuration={300}><RouterProvider router={router as never} /></Tooltip.Provider></PrefsProvider>
  </QueryClientProvider>,
);
