/** What is wrong with the bytes at an offset. */
export type DamageKind =
  /** The file ends inside a record or command. */
  | 'torn'
  /** From some point on to its end the file holds only NUL bytes. */
  | 'zero-filled'
  /** The record is a second copy of the one before it. */
  | 'duplicated'
  /** A whole record whose checksum does not match: bits changed, or sectors were lost. */
  | 'checksum'
  /** Bytes that are neither a record header, a known annotation nor a command. */
  | 'malformed'
  /** A MULTI without its EXEC. */
  | 'unfinished-transaction'

/** The disk refused a write or a sync: nothing later than `durable` is acknowledged. The log tries again by itself. */
export class WriteFailed extends Error {
  override readonly name = 'WriteFailed'
  readonly canRetry = true
  /** The system's word: ENOSPC, EIO, EROFS … */
  readonly code: string

  constructor(
    readonly file: string,
    override readonly cause: unknown,
  ) {
    const code = (cause as { code?: unknown } | null)?.code
    super(`cannot write ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.code = typeof code === 'string' ? code : 'EIO'
  }
}

/** The log holds damage that no crash explains; starting would lose acknowledged effects. Nothing was changed. */
export class CorruptLog extends Error {
  override readonly name = 'CorruptLog'
  readonly code = 'CORRUPT_LOG'
  readonly canRetry = false

  constructor(
    readonly directory: string,
    readonly file: string,
    /** Byte offset in `file` where the first bad record or command begins; 0 in the manifest. */
    readonly offset: number,
    readonly kind: DamageKind | 'manifest' | 'missing' | 'refused',
    detail: string,
    cause?: unknown,
  ) {
    const repair =
      kind === 'manifest' || kind === 'missing' || kind === 'refused'
        ? 'restore the directory from a copy'
        : `\`yeoul check-aof --fix ${directory}\` cuts the log there and keeps what it cuts beside it`
    super(`${file} is damaged at byte ${offset} (${kind}): ${detail}. Restore a copy, or: ${repair}`, { cause })
  }
}

/** A directory that is sound, but of a form this engine does not read. */
export class UnsupportedLog extends Error {
  override readonly name = 'UnsupportedLog'
  readonly code = 'UNSUPPORTED_LOG'
  readonly canRetry = false
}

/** A rewrite ended early; the log goes on with its increments, and a later rewrite starts afresh. */
export class RewriteAbandoned extends Error {
  override readonly name = 'RewriteAbandoned'
  readonly code = 'REWRITE_ABANDONED'
  readonly canRetry = true
}

/** There is nothing to copy, or no room for it. Nothing was changed. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
  readonly code = 'BACKUP_REFUSED'
  readonly canRetry = false
}
