import type { Database } from './database.js'

/** Binds an empty database to this log; answers the log that the rows come from (another one: do not mix them). */
export async function bindToLog({ db }: Database, log: string): Promise<string> {
  return db.transaction().execute(async (transaction) => {
    const bound = await transaction.selectFrom('origin').select('log').forUpdate().executeTakeFirst()
    if (bound !== undefined) return bound.log
    await transaction.insertInto('origin').values({ log }).execute()
    return log
  })
}
