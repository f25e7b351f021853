import { fork } from 'node:child_process'

/**
 * A part of a benchmark in a process of its own, so that its CPU time is its own. The module calls `serveRole` with its
 * operations; the parent calls them by name.
 */
export async function startRole(file, { nodeArguments = [] } = {}) {
  const child = fork(file, [], { execArgv: nodeArguments, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const waiting = new Map()
  let next = 1
  let ended = false
  const exited = new Promise((resolve) => child.once('exit', resolve))
  exited.then((code) => {
    ended = true
    for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}`))
  })
  child.on('message', ({ id, value, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(value)
    else reject(new Error(error))
  })
  return {
    pid: child.pid,
    ask(operation, argument) {
      if (ended) return Promise.reject(new Error(`${file} has ended`))
      return new Promise((resolve, reject) => {
        waiting.set(next, { resolve, reject })
        child.send({ id: next++, operation, argument })
      })
    },
    async end() {
      if (!ended) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(timer)
    },
  }
}

/** In the child. When the parent lets go, the process ends by itself (a profile is written at exit). */
export function serveRole(operations) {
  process.on('message', async ({ id, operation, argument }) => {
    try {
      process.send({ id, value: await operations[operation](argument) })
    } catch (error) {
      process.send({ id, error: error.stack ?? String(error) })
    }
  })
  process.once('disconnect', () => process.exit(0))
}
