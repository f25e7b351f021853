import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Engine } from '../../packages/yeoul/src/engine/engine.js'
import { listen, type RespServer } from '../../packages/yeoul/src/server/server.js'

export interface Served {
  readonly engine: Engine
  readonly server: RespServer
  readonly port: number
  stop(): Promise<void>
}

/** An engine on disk, every acknowledgement synced, served on a free port of this process. */
export async function startServed(): Promise<Served> {
  const directory = await mkdtemp(path.join(tmpdir(), 'yeoul-clients-'))
  const engine = await Engine.open({ directory, appendfsync: 'always' })
  const server = await listen(engine, { port: 0 })
  return {
    engine,
    server,
    port: server.port,
    stop: async () => {
      await server.close()
      await engine.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Runs a program to its end; rejects with its stderr unless it exits 0. */
export function run(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 60_000 }, (error, stdout, stderr) =>
      error ? reject(new Error(`${error.message}\n${stdout}\n${stderr}`)) : resolve(stdout),
    )
    child.stdin?.end(input)
  })
}

/** Starts a program that goes on; `line` resolves with its next line of output. */
export function start(program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  let wake = () => {}
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
    wake()
  })
  child.once('exit', () => wake())
  return {
    async line(): Promise<string> {
      while (lines.length === 0) {
        if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return lines.shift()!
    },
    async stop(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    },
  }
}
