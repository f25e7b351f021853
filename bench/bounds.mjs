/**
 * What bounds each table, by section: read from profiles (`--cpu-prof DIR`, and the kernel's profiler on the server) and
 * from the cores that each process used. To be looked at again whenever the figures move.
 */
export const BOUNDS = {
  'jobs-drain-100': `The consumer's CPU bounds every row. Of yeoul's, some 1.7 µs is the runtime without a store: \`JSON.parse\` and the
garbage of a message, its attempt, its deadline and the handler's promise; the rest is node-redis, with the sockets (a
fifth) and a Buffer for every id, name and value. The server spends about 1.1 µs per job on an acknowledgement that is
checked, and 0.3 to 0.45 on a plain XACK, which would also acknowledge what another worker has taken over. Most of the
difference is the list of what the worker still owns; ids travel and are compared as one text. The check is never left out:
however young a delivery is, its process may be paused between a look at the clock and the write.`,
  'jobs-drain-1': `The one-at-a-time loop is bound by two round trips per job, each some tens of µs of kernel work on either side.
yeoul reads ahead and acknowledges in batches while handlers still run one after another; the price is more messages
delivered again after a crash.`,
  'jobs-flow': `Three processes share the machine's cores: the sum of CPU per job decides. yeoul's producer and worker each pay for
what the tuned loop leaves out, and its two functions (append in batches, acknowledge what is still held) cost the
server more than plain XADD and XACK: the entry's fields go through Lua, and the worker's deliveries are listed.`,
  'jobs-latency': `At this rate each job pays for its own wake-ups: two hops over loopback and three processes scheduled. The
tail is the scheduler's on a machine with other work.`,
  'jobs-embedded': `In one process nothing is encoded for a socket: \`JSON.stringify\`, \`JSON.parse\` and the promises of publish and
handler are most of what remains. On disk the appends of one turn share a write and an fdatasync, so the disk's latency
is waited for by 1,000 publishes together. Against the tuned loop, which batches as well, the gain is that of leaving out
the protocol and the server.`,
  'publish-1000': `Garbage collection (two promises, the strings and the entry of each message) and node-redis encoding the arguments
and writing them share most of the client's CPU; a batch of one shape carries a message's fields and nothing else. The
function that appends a batch costs the server about twice a plain XADD: it gives every entry an answer of its own.`,
  'server-xadd-off-1': `The kernel and Node's streams. A server of ten lines that answers each chunk with a constant costs 8.7 µs per
request here, redis-server 7.6: a write request, a read buffer and a turn of the microtask queue per chunk. yeoul's own
part is 1.5 µs. One shared read buffer (\`onread\`) would save some of it, but Node's public interface offers it for
outgoing connections only.`,
  'server-xadd-off-64': `The one thread that runs JavaScript: a third of all CPU. 23 % is the kernel, page faults of fresh segments among it
(2 µs per 4 KiB here, 0.1 µs per entry; redis-server has its freed pages at hand). 20 % is garbage collection, half of it on
V8's helper threads: V8 counts read buffers and segments and marks the heap whenever some 26 MB of them were taken, however
small the heap. \`node --heap-growing-percent=300\` saved a seventh of the CPU here. Measuring an entry as a listpack is 4 %, parsing 4 %,
the two IDs 3 %, one look at the clock 3 %.`,
  'server-read-ack-off': `A fifth is garbage collection, part of it of what appending the entries left; a sixth the kernel (24 KB of reply per
hundred entries), a tenth the compiler in runs as short as these: after a million entries the same server took 0.65 to
1.0 µs per entry where redis-server took 1.4 to 1.5. IDs as text are 4 %, parsing 2 %, the pending list 5 %.`,
  'engine-calls': `An append: a quarter is copying into fresh memory, page faults included (0.13 µs per entry that no program can avoid
without huge pages), 14 % garbage collection (segments count as V8's memory), 12 % turning the text into bytes, 7 %
measuring it as a listpack. A delivery: making the ID's text and the objects that hold it, and reading that text again.`,
  'engine-commit': `With one producer the disk: one fdatasync per append. With many, \`always\` is bound by how many appends gather while
one fdatasync is under way.`,
  'server-xadd-off-16': `0.7 µs per command are Node's sockets (the ten-line server again), 1.0 parsing, running and storing it, 0.2 garbage
collection. redis-server takes 1.3 in all.`,
  'server-xadd-everysec-16': `An eighth is handing records to the thread that writes (a wake-up each; a record holds what came in while the one before
was written), a tenth copying each command into memory twice, 3 % checksums. The rest as without a log.`,
  'server-range': `Copying 100 entries and handing 24 KB to the kernel, in both servers.`,
  'engine-replay': `A quiet core loads 250,000 to 400,000 effects/s; here the machine's other work has its share. A seventh is copying entries into
segments, a tenth reading the file, the rest is running each effect like the command it is.`,
}
