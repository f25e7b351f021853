/**
 * What bounds each table, by section: read from profiles (`--cpu-prof DIR`, and the kernel's profiler on the server) and
 * from the cores that each process used. To be looked at again whenever the figures move.
 */
export const BOUNDS = {
  'jobs-drain-100': `The consumer's CPU bounds every row. A third of yeoul's is node-redis writing to its socket (reads, and
acknowledgements by a function that checks that the worker still holds what it acknowledges); a fifth is running the
handler with its deadline, attempt and metrics; a seventh is \`JSON.parse\`. The tuned loop does the first and the last
alone, and its plain XACK costs the server less than the checked one.`,
  'jobs-drain-1': `The one-at-a-time loop is bound by two round trips per job, each some tens of µs of kernel work on either side.
yeoul reads ahead and acknowledges in batches while handlers still run one after another; the price is more messages
delivered again after a crash.`,
  'jobs-flow': `Three processes share the machine's cores: the sum of CPU per job decides. yeoul's producer and worker each pay for
what the tuned loop leaves out, and its two functions (append in batches, acknowledge what is still held) cost the
server more than plain XADD and XACK.`,
  'jobs-latency': `At this rate each job pays for its own wake-ups: two hops over loopback and three processes scheduled. The
tail is the scheduler's on a machine with other work.`,
  'jobs-embedded': `In one process nothing is encoded for a socket: \`JSON.stringify\`, \`JSON.parse\` and the promises of publish and
handler are most of what remains. On disk the appends of one turn share a write and an fdatasync, so the disk's latency
is waited for by 1,000 publishes together. Against the tuned loop, which batches as well, the gain is that of leaving out
the protocol and the server.`,
  'publish-1000': `A third of the client's CPU is garbage collection (promises, closures and strings per message), a third node-redis
writing its arguments to the socket. The function that appends a batch costs the server about twice a plain XADD.`,
  'server-xadd-off-1': `The kernel: 57 % of the server's CPU is reading from and writing to sockets. Node's streams add a write
request, a read buffer of 64 KiB and a turn of the microtask queue to each.`,
  'server-xadd-off-64': `The one thread that runs JavaScript. 20 % of its CPU and of its helpers is garbage collection: V8 collects each
time some 16 MB of memory outside its heap were taken, and every socket read takes 64 KiB of it, every segment 1 MiB.
Parsing is 5 %, the append itself (measure, header, copy) 10 %, clocks 4 %.`,
  'server-read-ack-off': `Half of the server's CPU is the delivery: 27 % writing IDs as text (those of this stream differ in their
milliseconds, which is the dear case), 18 % copying entries into the reply. 16 % is parsing the IDs of XACK. The pending
list itself takes 5 %.`,
  'engine-calls': `An append: 17 % garbage collection, 13 % page faults of fresh memory, 16 % turning the text into bytes, 17 % header
and copy, the rest bookkeeping. A delivery: making the ID's text and the objects that hold it.`,
  'engine-commit': `With one producer the disk: one fdatasync per append. With many, \`always\` is bound by how many appends gather while
one fdatasync is under way.`,
}
