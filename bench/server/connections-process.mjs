import { connect } from 'node:net'
import { encode } from '../harness/resp-client.mjs'
import { serveRole } from '../harness/role.mjs'

const sockets = []

/** Holds many connections open, idle or parked in a blocking read. */
serveRole({
  /** Opens them 100 at a time and waits until each has answered a PING. */
  async open({ port, count }) {
    const ping = encode('PING')
    for (let from = 0; from < count; from += 100) {
      await Promise.all(
        Array.from({ length: Math.min(100, count - from) }, () => {
          const socket = connect({ port, host: '127.0.0.1', noDelay: true })
          sockets.push(socket)
          return new Promise((resolve, reject) => {
            socket.once('error', reject)
            socket.once('data', resolve)
            socket.write(ping)
          })
        }),
      )
    }
  },

  /** Parks each in a read of a stream of its own. */
  block() {
    for (const [i, socket] of sockets.entries())
      socket.write(encode('XREAD', 'BLOCK', 0, 'STREAMS', `parked-${i}`, '$'))
  },

  close() {
    for (const socket of sockets) socket.destroy()
  },
})
