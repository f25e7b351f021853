import { YeoulError } from '../runtime/errors.js'
import type { Yeoul } from '../runtime/yeoul.js'

/** Where `npm start` and `yeoul serve` answer unless told otherwise. */
export const DEFAULT_URL = 'redis://127.0.0.1:6390'

/** A failure that is told in one sentence, without a stack. Exit status 1; 2 when the words of the call are off. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly status: 1 | 2 = 1,
  ) {
    super(message)
  }
}

/** Runs `work` on the store that `--url` or YEOUL_URL names, and leaves it whatever happens. */
export async function withYeoul<T>(url: string | undefined, work: (yeoul: Yeoul) => Promise<T>): Promise<T> {
  const target = url ?? process.env.YEOUL_URL ?? DEFAULT_URL
  let yeoul: Yeoul
  // Loaded here and not above: `serve` needs neither the runtime nor a Redis client, and what lies in V8's heap costs at
  // every collection.
  const { connect } = await import('../index.js')
  try {
    yeoul = await connect(target)
  } catch (error) {
    throw new CliError(
      `${error instanceof Error ? error.message : error}${
        url === undefined && process.env.YEOUL_URL === undefined
          ? ' Start one with `npx yeoul serve`, or name another with --url or YEOUL_URL.'
          : ''
      }`,
    )
  }
  // What an operator should know of the server stands under `topics`; it must not be repeated by every call of a script.
  yeoul.on('warning', () => {})
  yeoul.on('error', ({ error, where }) => process.stderr.write(`${where}: ${error.message}\n`))
  try {
    return await work(yeoul)
  } catch (error) {
    if (error instanceof YeoulError) throw new CliError(`${error.message} ${error.advice}`)
    throw error
  } finally {
    await yeoul.close()
  }
}
