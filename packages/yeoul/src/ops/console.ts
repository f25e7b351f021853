import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { HttpError } from './http-error.js'

/** The built page, put beside the compiled sources by the build of apps/console. */
const FOLDER = new URL('../console/', import.meta.url)

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
}

/** `/console` and what it loads. File names under assets/ carry a digest, so they may be kept for ever. */
export async function consoleFile(path: string): Promise<Response> {
  const name = path.replace(/^\/console\/?/, '') || 'index.html'
  if (!/^(assets\/)?[\w.-]+$/.test(name) || name.includes('..'))
    throw new HttpError(404, 'not_found', 'There is no such file.')
  let bytes: Buffer
  try {
    bytes = await readFile(new URL(name, FOLDER))
  } catch {
    if (name === 'index.html') {
      throw new HttpError(503, 'not_built', 'The console page is not built: run `npm run build` in the repository.')
    }
    throw new HttpError(404, 'not_found', 'There is no such file.')
  }
  return new Response(new Uint8Array(bytes), {
    headers: {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'cache-control': name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  })
}
