import { connect } from 'node:net'
import { encode } from '../harness/resp-client.mjs'
import { serveRole } from '../harness/role.mjs'

/**
 * Reads groups by raw sockets: each connection sends XACK of the last batch and XREADGROUP of the next in one write. Entry
 * ids are all of one length and payloads too, so a full reply has a known size and ids stand at known places: the client
 * costs next to nothing beside the server.
 */
serveRole({
  async run({ port, connections, batch, entry, total }) {
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const share = total / connections
    await Promise.all(
      Array.from({ length: connections }, (_, i) => consume({ port, consumer: `c${i}`, batch, entry, share })),
    )
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - startedAt) / 1000, cpu: user + system }
  },
})

/** `entry`: bytes of one entry in a reply; `idAt` of its id, `idLength` long. */
function consume({ port, consumer, batch, entry, share }) {
  const { bytes: entryBytes, idAt, idLength, head } = entry
  const read = encode('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', batch, 'STREAMS', 's', '>')
  const ackHead = Buffer.from(`*${batch + 3}\r\n$4\r\nXACK\r\n$1\r\ns\r\n$1\r\ng\r\n`)
  const idHead = Buffer.from(`$${idLength}\r\n`)
  const idBytes = idHead.length + idLength + 2
  const request = Buffer.alloc(ackHead.length + batch * idBytes + read.length)
  ackHead.copy(request)
  for (let i = 0; i < batch; i++) {
    const at = ackHead.length + i * idBytes
    idHead.copy(request, at)
    request.write('\r\n', at + idHead.length + idLength)
  }
  read.copy(request, ackHead.length + batch * idBytes)
  const replyBytes = head.length + batch * entryBytes
  const ackReply = `:${batch}\r\n`
  const reply = Buffer.alloc(ackReply.length + replyBytes)
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let held = 0
    // The first request reads only; from the second on the reply begins with the count of the acknowledged.
    let wanted = replyBytes
    let done = 0
    socket.on('connect', () => socket.write(read))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      if (held + chunk.length > wanted) return reject(new Error('the reply is longer than expected'))
      chunk.copy(reply, held)
      held += chunk.length
      if (held < wanted) return
      held = 0
      let at = wanted - replyBytes
      if (at > 0 && reply.latin1Slice(0, at) !== ackReply) return reject(new Error('not all were acknowledged'))
      if (reply.latin1Slice(at, at + head.length) !== head) return reject(new Error('not the reply expected'))
      at += head.length
      for (let i = 0; i < batch; i++) {
        const from = at + i * entryBytes + idAt
        reply.copy(request, ackHead.length + i * idBytes + idHead.length, from, from + idLength)
      }
      done += batch
      if (done >= share) {
        socket.end(request.subarray(0, ackHead.length + batch * idBytes))
        socket.on('end', resolve)
        return
      }
      wanted = ackReply.length + replyBytes
      socket.write(Buffer.from(request))
    })
  })
}
