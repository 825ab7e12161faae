import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const server = process.env.MARU_URL ?? 'http://127.0.0.1:7400';

export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 700 },
  server: { proxy: { '/api': { target: server, changeOrigin: true, headers: { origin: server } }, '/v2': { target: server, changeOrigin: true, headers: { origin: server } } } },
});
