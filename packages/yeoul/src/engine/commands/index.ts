import type { Command } from './command.js'
import { connectionCommands } from './connection.js'
import { functionCommands } from './functions.js'
import { hashCommands } from './hashes.js'
import { keyCommands } from './keys.js'
import { pubsubCommands } from './pubsub.js'
import { serverCommands } from './server.js'
import { sortedSetCommands } from './sorted-sets.js'
import { stringCommands } from './strings.js'
import { transactionCommands } from './transactions.js'
import { xack } from './xack.js'
import { xackdel } from './xackdel.js'
import { xadd } from './xadd.js'
import { xautoclaim } from './xautoclaim.js'
import { xcfgset } from './xcfgset.js'
import { xclaim } from './xclaim.js'
import { xdel } from './xdel.js'
import { xdelex } from './xdelex.js'
import { xgroup } from './xgroup.js'
import { xidmprecord } from './xidmprecord.js'
import { xinfo } from './xinfo.js'
import { xlen } from './xlen.js'
import { xnack } from './xnack.js'
import { xpending } from './xpending.js'
import { xrange, xrevrange } from './xrange.js'
import { xread } from './xread.js'
import { xreadgroup } from './xreadgroup.js'
import { xsetid } from './xsetid.js'
import { xtrim } from './xtrim.js'

/** The command table: what is not listed here is an unknown command. */
export const commands: readonly Command[] = [
  xadd,
  xread,
  xreadgroup,
  xack,
  xrange,
  xrevrange,
  xlen,
  xdel,
  xdelex,
  xackdel,
  xnack,
  xtrim,
  xgroup,
  xpending,
  xclaim,
  xautoclaim,
  xinfo,
  xsetid,
  xcfgset,
  xidmprecord,
  ...keyCommands,
  ...stringCommands,
  ...hashCommands,
  ...sortedSetCommands,
  ...transactionCommands,
  ...functionCommands,
  ...connectionCommands,
  ...pubsubCommands,
  ...serverCommands,
]
