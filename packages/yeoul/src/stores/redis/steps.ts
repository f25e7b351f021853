import { StoreError } from '../../runtime/store.js'
import { libraryName, librarySource, libraryVersion, scriptOf, steps, versionOf } from '../functions/library.js'
import type { AnyStep, Argument, Reply, Step } from '../functions/step.js'
import type { Link } from './link.js'

/**
 * Runs the atomic steps: as functions of the library `yeoul`, or as scripts where the server has or allows no functions.
 * A server that has lost them answers so without running anything; they are installed again and the call is made again (it
 * then takes effect after calls that were made right behind it).
 */
export class StepRunner {
  private asScripts = false
  private loading: Promise<void> | undefined

  constructor(private readonly link: Link) {}

  /** `builtIn`: the server brings the steps along. */
  async install(functions: boolean, builtIn: boolean): Promise<void> {
    if (builtIn) return
    if (!functions) return this.installScripts()
    try {
      const listed = (await this.link.send(undefined, ['FUNCTION', 'LIST', 'LIBRARYNAME', libraryName, 'WITHCODE'], {
        write: false,
      })) as Reply[][]
      const library = listed[0]
      const source = library ? (library[library.indexOf('library_code') + 1] as string) : ''
      if (this.link.cluster || (source !== librarySource && versionOf(source) <= libraryVersion)) await this.load()
    } catch (error) {
      // FUNCTION may be forbidden to this user; scripts are allowed more often.
      if (!(error instanceof StoreError) || (error.code !== 'UNAUTHORIZED' && error.code !== 'REFUSED')) throw error
      await this.installScripts()
    }
  }

  /** Loaded beforehand, so that the first call of a step does not fall behind calls made after it. */
  private async installScripts(): Promise<void> {
    this.asScripts = true
    await Promise.all(
      steps.map((step) => this.link.everywhere(['SCRIPT', 'LOAD', scriptOf(step).source], { write: true })),
    )
  }

  run<Input, Output>(step: Step<Input, Output>, input: Input): Promise<Output> {
    const keys = step.keys(input)
    const args = step.args(input)
    return this.call(step, keys, args).then((reply) => step.answer(reply, input))
  }

  private call(step: AnyStep, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const sending = { write: !step.readOnly, binary: step.binary }
    const count = String(keys.length)
    if (this.asScripts) {
      const { source, sha } = scriptOf(step)
      return this.link.send(keys[0], ['EVALSHA', sha, count, ...keys, ...args], sending).catch((error: unknown) => {
        if (!startsWith(error, 'NOSCRIPT')) throw error
        return this.link.send(keys[0], ['EVAL', source, count, ...keys, ...args], sending)
      })
    }
    const command = ['FCALL', step.name, count, ...keys, ...args]
    return this.link.send(keys[0], command, sending).catch(async (error: unknown) => {
      // The library is gone (FUNCTION FLUSH, a new node): nothing ran, so the call may be made again.
      if (!startsWith(error, 'ERR Function not found')) throw error
      await this.load()
      return this.link.send(keys[0], command, sending)
    })
  }

  private load(): Promise<void> {
    this.loading ??= this.link
      .everywhere(['FUNCTION', 'LOAD', 'REPLACE', librarySource], { write: true })
      .then(() => {})
      .finally(() => (this.loading = undefined))
    return this.loading
  }
}

function startsWith(error: unknown, text: string): boolean {
  return error instanceof StoreError && error.cause instanceof Error && error.cause.message.startsWith(text)
}
