import { join } from 'node:path'
import type { Storage } from '../io/storage.js'
import { CorruptLog } from './errors.js'

/**
 * The list of files that make up the log, in the order they are read, as Redis 7 writes it:
 *
 *     file appendonly.aof.2.base.aof seq 2 type b
 *     file appendonly.aof.1.base.aof seq 1 type h
 *     file appendonly.aof.4.incr.aof seq 4 type i
 *     file appendonly.aof.5.incr.aof seq 5 type i
 *
 * b: base, the state when its rewrite began, at most one. i: increment, the effects since; the last one grows.
 * h: history, replaced by a base and about to be removed. Unknown keys are kept out, but allowed.
 */
export interface Manifest {
  base: LogFile | undefined
  history: { name: string; sequence: number }[]
  increments: LogFile[]
}

export interface LogFile {
  name: string
  sequence: number
  type: 'b' | 'i'
}

export const LOG_DIRECTORY = 'appendonlydir'
export const MANIFEST_NAME = 'appendonly.aof.manifest'
const TEMPORARY_MANIFEST = `temp-${MANIFEST_NAME}`
const LINE_LIMIT = 1024

export function baseFile(sequence: number): LogFile {
  return { name: `appendonly.aof.${sequence}.base.aof`, sequence, type: 'b' }
}

export function incrementFile(sequence: number): LogFile {
  return { name: `appendonly.aof.${sequence}.incr.aof`, sequence, type: 'i' }
}

/** Files in the order of replay. */
export function replayOrder(manifest: Manifest): LogFile[] {
  return manifest.base === undefined ? manifest.increments : [manifest.base, ...manifest.increments]
}

export function formatManifest(manifest: Manifest): string {
  const lines: string[] = []
  if (manifest.base !== undefined)
    lines.push(`file ${quote(manifest.base.name)} seq ${manifest.base.sequence} type b\n`)
  for (const file of manifest.history) lines.push(`file ${quote(file.name)} seq ${file.sequence} type h\n`)
  for (const file of manifest.increments) lines.push(`file ${quote(file.name)} seq ${file.sequence} type i\n`)
  return lines.join('')
}

/** `text` is latin1, one character a byte. Throws a sentence saying what is wrong. */
export function parseManifest(text: string): Manifest {
  const manifest: Manifest = { base: undefined, history: [], increments: [] }
  if (text === '') throw new Error('it is empty')
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new Error('its last line is cut')
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1}`
    if (line === '') throw new Error(`${where} is blank`)
    if (line.startsWith('#')) continue
    if (line.length >= LINE_LIMIT) throw new Error(`${where} is too long`)
    const words = splitLine(line)
    if (words === undefined || words.length < 6 || words.length % 2 !== 0) {
      throw new Error(`${where} is not a list of keys and values`)
    }
    const pairs = new Map<string, string>()
    for (let i = 0; i < words.length; i += 2) pairs.set(words[i].toLowerCase(), words[i + 1])
    const name = pairs.get('file')
    const sequence = Number(pairs.get('seq'))
    const type = pairs.get('type')
    if (name === undefined || name === '' || name.includes('/') || name.includes('\\') || name === '..') {
      throw new Error(`${where} names no file of this directory`)
    }
    if (!Number.isSafeInteger(sequence) || sequence < 1) throw new Error(`${where} has no sequence number`)
    if (type === 'b') {
      if (manifest.base !== undefined) throw new Error(`${where} names a second base`)
      manifest.base = { name, sequence, type }
    } else if (type === 'i') {
      const before = manifest.increments.at(-1)
      if (before !== undefined && sequence <= before.sequence) throw new Error(`${where}: the sequence does not rise`)
      manifest.increments.push({ name, sequence, type })
    } else if (type === 'h') manifest.history.push({ name, sequence })
    else throw new Error(`${where} has an unknown type`)
  }
  return manifest
}

/** The manifest of a log directory; undefined when there is none. Rejects with CorruptLog. */
export async function readManifest(storage: Storage, directory: string): Promise<Manifest | undefined> {
  const path = join(directory, LOG_DIRECTORY)
  let names: string[]
  try {
    names = await storage.list(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (!names.includes(MANIFEST_NAME)) return undefined
  const file = await storage.open(join(path, MANIFEST_NAME), 'read')
  try {
    const bytes = Buffer.alloc(await file.size())
    await file.read(0, bytes)
    try {
      return parseManifest(bytes.toString('latin1'))
    } catch (error) {
      throw new CorruptLog(directory, MANIFEST_NAME, 0, 'manifest', (error as Error).message)
    }
  } finally {
    await file.close()
  }
}

/** Puts a manifest in place of the present one in one step; durable once the log directory is synced. */
export async function replaceManifest(storage: Storage, directory: string, manifest: Manifest): Promise<void> {
  const path = join(directory, LOG_DIRECTORY)
  const temporary = join(path, TEMPORARY_MANIFEST)
  const file = await storage.open(temporary, 'create')
  try {
    await file.write(0, Buffer.from(formatManifest(manifest)))
    await file.datasync()
  } finally {
    await file.close()
  }
  await storage.rename(temporary, join(path, MANIFEST_NAME))
}

/** As `replaceManifest`, and durable. */
export async function writeManifest(storage: Storage, directory: string, manifest: Manifest): Promise<void> {
  await replaceManifest(storage, directory, manifest)
  await storage.syncDirectory(join(directory, LOG_DIRECTORY))
}

/** Names with blanks or odd bytes are written in double quotes, with \xHH for what is not printable. */
function quote(name: string): string {
  if (/^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+$/.test(name)) return name
  const bytes = Buffer.from(name)
  let quoted = '"'
  for (const byte of bytes) {
    const character = String.fromCharCode(byte)
    if (character === '"' || character === '\\') quoted += `\\${character}`
    else if (byte < 32 || byte > 126) quoted += `\\x${byte.toString(16).padStart(2, '0')}`
    else quoted += character
  }
  return `${quoted}"`
}

/** Words between blanks; a word in double quotes may hold blanks. Undefined when a quote is not closed. */
function splitLine(line: string): string[] | undefined {
  const words: string[] = []
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+))/y
  while (pattern.lastIndex < line.trimEnd().length) {
    const match = pattern.exec(line)
    if (match === null) return undefined
    words.push(Buffer.from(match[2] ?? unquote(match[1]), 'latin1').toString('utf8'))
  }
  return words
}

function unquote(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, other: string) =>
    hex === undefined ? other : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
