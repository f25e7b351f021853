/**
 * The arguments of each command, by full name, in the notation of the documentation made unambiguous. COMMAND DOCS (and
 * so the hints of redis-cli) and the compatibility page are read from here; a command without arguments has no line.
 *
 *     sequence := term term …
 *     term     := ( `[` choice `]` | `<` choice `>` | WORD [value] | name[:type] ) [ `+` ]
 *     choice   := sequence [ `|` sequence … ]
 *
 * `[ ]` may be left out, `+` may be repeated, `|` takes one of them. An upper-case word (or one of `* ~ = $`) is given
 * literally; a lower-case name or `< >` right behind it is its value. A name without a type is a string.
 */
export const SYNTAX: Readonly<Record<string, string>> = {
  xadd: 'key:key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] [IDMPAUTO producer-id|IDMP <producer-id idempotent-id>] [<MAXLEN|MINID> [=|~] threshold [LIMIT count:integer]] <*|id> <field value>+',
  xread:
    '[COUNT count:integer] [MAXCOUNT count:integer] [MAXSIZE bytes:integer] [BLOCK milliseconds:integer] STREAMS <key:key+ id+>',
  xreadgroup:
    'GROUP <group consumer> [COUNT count:integer] [MAXCOUNT count:integer] [MAXSIZE bytes:integer] [BLOCK milliseconds:integer] [CLAIM min-idle-time:integer] [NOACK] STREAMS <key:key+ id+>',
  xack: 'key:key group id+',
  xrange: 'key:key start end [COUNT count:integer]',
  xrevrange: 'key:key end start [COUNT count:integer]',
  xlen: 'key:key',
  xdel: 'key:key id+',
  xdelex: 'key:key [KEEPREF|DELREF|ACKED] IDS <numids:integer id+>',
  xackdel: 'key:key group [KEEPREF|DELREF|ACKED] IDS <numids:integer id+>',
  xnack: 'key:key group <SILENT|FAIL|FATAL> IDS <numids:integer id+> [RETRYCOUNT count:integer] [FORCE]',
  xtrim: 'key:key <MAXLEN|MINID> [=|~] threshold [LIMIT count:integer] [KEEPREF|DELREF|ACKED]',
  'xgroup|create': 'key:key groupname <id|$> [MKSTREAM] [ENTRIESREAD entries_read:integer]',
  'xgroup|setid': 'key:key groupname <id|$> [ENTRIESREAD entries_read:integer]',
  'xgroup|destroy': 'key:key groupname',
  'xgroup|createconsumer': 'key:key groupname consumername',
  'xgroup|delconsumer': 'key:key groupname consumername',
  xpending: 'key:key group [[IDLE min-idle-time:integer] start end count:integer [consumer]]',
  xclaim:
    'key:key group consumer min-idle-time id+ [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID id]',
  xautoclaim: 'key:key group consumer min-idle-time start [COUNT count:integer] [JUSTID]',
  'xinfo|stream': 'key:key [FULL <[COUNT count:integer]>]',
  'xinfo|groups': 'key:key',
  'xinfo|consumers': 'key:key groupname',
  xsetid: 'key:key last-id [ENTRIESADDED entries_added:integer] [MAXDELETEDID max_deleted_entry_id]',
  del: 'key:key+',
  unlink: 'key:key+',
  exists: 'key:key+',
  touch: 'key:key+',
  type: 'key:key',
  rename: 'key:key newkey:key',
  renamenx: 'key:key newkey:key',
  copy: 'source:key destination:key [DB destination-db:integer] [REPLACE]',
  move: 'key:key db:integer',
  keys: 'pattern:pattern',
  scan: 'cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type]',
  expire: 'key:key seconds:integer [NX|XX|GT|LT]',
  pexpire: 'key:key milliseconds:integer [NX|XX|GT|LT]',
  expireat: 'key:key unix-time-seconds:unix-time [NX|XX|GT|LT]',
  pexpireat: 'key:key unix-time-milliseconds:unix-time [NX|XX|GT|LT]',
  ttl: 'key:key',
  pttl: 'key:key',
  expiretime: 'key:key',
  pexpiretime: 'key:key',
  persist: 'key:key',
  'object|encoding': 'key:key',
  'object|refcount': 'key:key',
  'object|idletime': 'key:key',
  'object|freq': 'key:key',
  select: 'index:integer',
  swapdb: 'index1:integer index2:integer',
  flushdb: '[ASYNC|SYNC]',
  flushall: '[ASYNC|SYNC]',
  get: 'key:key',
  set: 'key:key value [NX|XX] [GET] [EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|KEEPTTL]',
  setnx: 'key:key value',
  setex: 'key:key seconds:integer value',
  psetex: 'key:key milliseconds:integer value',
  getset: 'key:key value',
  getdel: 'key:key',
  getex:
    'key:key [EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|PERSIST]',
  mget: 'key:key+',
  mset: '<key:key value>+',
  msetnx: '<key:key value>+',
  append: 'key:key value',
  strlen: 'key:key',
  incr: 'key:key',
  decr: 'key:key',
  incrby: 'key:key increment:integer',
  decrby: 'key:key decrement:integer',
  incrbyfloat: 'key:key increment:double',
  getrange: 'key:key start:integer end:integer',
  substr: 'key:key start:integer end:integer',
  setrange: 'key:key offset:integer value',
  hset: 'key:key <field value>+',
  hmset: 'key:key <field value>+',
  hsetnx: 'key:key field value',
  hget: 'key:key field',
  hmget: 'key:key field+',
  hgetall: 'key:key',
  hkeys: 'key:key',
  hvals: 'key:key',
  hdel: 'key:key field+',
  hexists: 'key:key field',
  hlen: 'key:key',
  hstrlen: 'key:key field',
  hincrby: 'key:key field increment:integer',
  hincrbyfloat: 'key:key field increment:double',
  hscan: 'key:key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]',
  hrandfield: 'key:key [count:integer [WITHVALUES]]',
  zadd: 'key:key [NX|XX] [GT|LT] [CH] [INCR] <score:double member>+',
  zincrby: 'key:key increment:integer member',
  zrem: 'key:key member+',
  zscore: 'key:key member',
  zmscore: 'key:key member+',
  zcard: 'key:key',
  zcount: 'key:key min:double max:double',
  zlexcount: 'key:key min max',
  zrank: 'key:key member [WITHSCORE]',
  zrevrank: 'key:key member [WITHSCORE]',
  zrange: 'key:key start stop [BYSCORE|BYLEX] [REV] [LIMIT <offset:integer count:integer>] [WITHSCORES]',
  zrevrange: 'key:key start:integer stop:integer [WITHSCORES]',
  zrangebyscore: 'key:key min:double max:double [WITHSCORES] [LIMIT <offset:integer count:integer>]',
  zrevrangebyscore: 'key:key max:double min:double [WITHSCORES] [LIMIT <offset:integer count:integer>]',
  zrangebylex: 'key:key min max [LIMIT <offset:integer count:integer>]',
  zrevrangebylex: 'key:key max min [LIMIT <offset:integer count:integer>]',
  zrangestore: 'dst:key src:key min max [BYSCORE|BYLEX] [REV] [LIMIT <offset:integer count:integer>]',
  zremrangebyscore: 'key:key min:double max:double',
  zremrangebyrank: 'key:key start:integer stop:integer',
  zremrangebylex: 'key:key min max',
  zpopmin: 'key:key [count:integer]',
  zpopmax: 'key:key [count:integer]',
  zscan: 'key:key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]',
  watch: 'key:key+',
  fcall: 'function numkeys:integer [key:key+] [arg+]',
  fcall_ro: 'function numkeys:integer [key:key+] [arg+]',
  'function|list': '[LIBRARYNAME library-name-pattern] [WITHCODE]',
  'function|load': '[REPLACE] function-code',
  'function|restore': 'serialized-value [FLUSH|APPEND|REPLACE]',
  'function|delete': 'library-name',
  'function|flush': '[ASYNC|SYNC]',
  hello: '[protover:integer [AUTH <username password>] [SETNAME clientname]]',
  auth: '[username] password',
  ping: '[message]',
  echo: 'message',
  'client|kill':
    '<ip:port|<[ID client-id:integer]|[TYPE <NORMAL|MASTER|SLAVE|REPLICA|PUBSUB>]|[USER username]|[ADDR ip:port]|[LADDR ip:port]|[SKIPME yes/no]>+>',
  'client|list': '[TYPE <NORMAL|MASTER|REPLICA|PUBSUB>] [ID <client-id:integer+>]',
  'client|no-evict': '<ON|OFF>',
  'client|no-touch': '<ON|OFF>',
  'client|pause': 'timeout:integer [WRITE|ALL]',
  'client|reply': '<ON|OFF|SKIP>',
  'client|setinfo': '<LIB-NAME libname|LIB-VER libver>',
  'client|setname': 'connection-name',
  'client|unblock': 'client-id:integer [TIMEOUT|ERROR]',
  subscribe: 'channel+',
  unsubscribe: '[channel+]',
  psubscribe: '<pattern:pattern>+',
  punsubscribe: '[pattern:pattern+]',
  ssubscribe: 'shardchannel+',
  sunsubscribe: '[shardchannel+]',
  publish: 'channel message',
  spublish: 'shardchannel message',
  'pubsub|channels': '[pattern:pattern]',
  'pubsub|numsub': '[channel+]',
  'pubsub|shardchannels': '[pattern:pattern]',
  'pubsub|shardnumsub': '[shardchannel+]',
  'acl|cat': '[categoryname]',
  'acl|genpass': '[bits:integer]',
  'acl|getuser': 'username',
  'acl|setuser': 'username [rule+]',
  'acl|deluser': 'username+',
  'acl|dryrun': 'username command [arg+]',
  'acl|log': '[count:integer|RESET]',
  'config|get': '<parameter>+',
  'config|set': '<parameter value>+',
  info: '[section+]',
  'command|docs': '[command-name+]',
  'command|info': '[command-name+]',
  'command|list': '[FILTERBY <MODULE module-name|ACLCAT category|PATTERN pattern:pattern>]',
  'latency|histogram': '[command+]',
  'latency|history': 'event',
  'latency|reset': '[event+]',
  'slowlog|get': '[count:integer]',
  'memory|usage': 'key:key [SAMPLES count:integer]',
  shutdown: '[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]',
  wait: 'numreplicas:integer timeout:integer',
  waitaof: 'numlocal:integer numreplicas:integer timeout:integer',
  lolwut: '[VERSION version:integer]',
  'script|flush': '[ASYNC|SYNC]',
  'script|exists': 'sha1+',
  'script|load': 'script',
  bgsave: '[SCHEDULE]',
  eval: 'script numkeys:integer [key:key+] [arg+]',
  evalsha: 'sha1 numkeys:integer [key:key+] [arg+]',
  replicaof: '<<host port:integer>|<NO ONE>>',
  slaveof: '<<host port:integer>|<NO ONE>>',
  psync: 'replicationid offset:integer',
  xcfgset: 'key:key [IDMP-DURATION seconds:integer] [IDMP-MAXSIZE entries:integer]',
  xidmprecord: 'key:key producer-id idempotent-id stream-id',
  'command|getkeys': 'command [arg+]',
  'command|getkeysandflags': 'command [arg+]',
}

type Kind = 'string' | 'integer' | 'double' | 'key' | 'pattern' | 'unix-time' | 'pure-token' | 'oneof' | 'block'

/** One argument, as COMMAND DOCS describes it. */
export interface Argument {
  name: string
  kind: Kind
  /** The literal word in front of the value, or instead of one (pure-token). */
  token?: string
  optional?: boolean
  multiple?: boolean
  /** Of a oneof or a block. */
  arguments?: Argument[]
}

const parsed = new Map<string, readonly Argument[]>()

/** The arguments of a command by its full name (`xgroup|create`); empty for one without. */
export function argumentsOf(fullName: string): readonly Argument[] {
  let found = parsed.get(fullName)
  if (found === undefined) {
    const text = SYNTAX[fullName]
    found = text === undefined ? [] : new Reader(text).all()
    parsed.set(fullName, found)
  }
  return found
}

class Reader {
  readonly #words: string[]
  #at = 0

  constructor(text: string) {
    this.#words = text.match(/[[\]<>|+]|[^\s[\]<>|+]+/g) ?? []
  }

  all(): Argument[] {
    const found = this.#sequence()
    if (this.#at < this.#words.length) throw new Error(`syntax: unexpected ${this.#words[this.#at]}`)
    return found
  }

  #sequence(): Argument[] {
    const found: Argument[] = []
    for (;;) {
      const word = this.#words[this.#at]
      if (word === undefined || word === ']' || word === '>' || word === '|') return found
      found.push(this.#term())
    }
  }

  #term(): Argument {
    const word = this.#words[this.#at++]
    let term: Argument
    if (word === '[') {
      term = this.#choice(']')
      term.optional = true
    } else if (word === '<') term = this.#choice('>')
    else if (isToken(word)) {
      const next = this.#words[this.#at]
      if (next === '<' || (next !== undefined && /^[a-z]/.test(next))) term = { ...this.#term(), token: word }
      else term = { name: word.toLowerCase(), kind: 'pure-token', token: word }
    } else {
      const [, name, kind] = /^(.*?)(?::(integer|double|key|pattern|unix-time))?$/.exec(word)!
      term = { name, kind: (kind ?? 'string') as Kind }
    }
    if (this.#words[this.#at] === '+') {
      this.#at++
      term.multiple = true
    }
    return term
  }

  #choice(end: string): Argument {
    const sequences = [this.#sequence()]
    while (this.#words[this.#at] === '|') {
      this.#at++
      sequences.push(this.#sequence())
    }
    if (this.#words[this.#at++] !== end) throw new Error(`syntax: ${end} is missing`)
    // What may be left out inside is told apart from what may be left out as a whole.
    const choices = sequences.map((sequence) =>
      sequence.length === 1 && (sequences.length > 1 || !sequence[0].optional)
        ? sequence[0]
        : { name: nameOf(sequence), kind: 'block' as const, arguments: sequence },
    )
    return choices.length === 1 ? choices[0] : { name: nameOf(choices), kind: 'oneof', arguments: choices }
  }
}

function isToken(word: string): boolean {
  return /^([A-Z]|[*~=$]$)/.test(word)
}

function nameOf(parts: readonly Argument[]): string {
  return parts.map((part) => part.name).join('-')
}

/** An argument list as the documentation prints it: `key [COUNT count] STREAMS key [key ...]`. */
export function syntaxText(parts: readonly Argument[]): string {
  return parts.map(show).join(' ')
}

function show(part: Argument): string {
  let text = part.name
  if (part.kind === 'pure-token') text = part.token!
  else if (part.kind === 'oneof') text = part.arguments!.map(show).join(' | ')
  else if (part.kind === 'block') text = syntaxText(part.arguments!)
  if (part.kind === 'oneof' && (part.token !== undefined || part.multiple || !part.optional)) text = `<${text}>`
  if (part.multiple) text = `${text} [${text} ...]`
  if (part.token !== undefined && part.kind !== 'pure-token') text = `${part.token} ${text}`
  return part.optional ? `[${text}]` : text
}
