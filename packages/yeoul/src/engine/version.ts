/** The Redis release whose stream commands are all here: clients choose features by it. */
export const REDIS_VERSION = '8.8.0'

/** The version of this package: INFO's yeoul_version. */
export const YEOUL_VERSION = '0.1.0'
