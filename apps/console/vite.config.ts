import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  publicDir: '../look/public',
  base: '/console/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../packages/yeoul/dist/console',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
  },
  // `vite dev` beside a running system.
  server: { proxy: { '/api/ops': process.env.YEOUL_CONSOLE_API ?? 'http://127.0.0.1:3000' } },
})
