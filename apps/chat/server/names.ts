import { z } from 'zod'
import { MAX_NAME, MAX_TEXT } from './protocol.js'

/** Control, unassigned, private and lone-surrogate code points; format ones too, but the joiner that emoji are built with. */
const INVISIBLE = /[^\P{C}\u200d]/u
/** In text, line ends and tabs are fine, and so are joiners and direction marks; NUL cannot be stored. */
const UNPRINTABLE = /[^\P{Cc}\n\t]|\p{Cs}/u

/** Names of rooms and people: 1–32 visible characters without `/`, composed (NFC), no blanks around. */
export const nameSchema = z
  .string()
  .transform((name) => name.normalize('NFC').trim())
  .refine((name) => name !== '' && [...name].length <= MAX_NAME && !name.includes('/') && !INVISIBLE.test(name), {
    message: `a name has 1 to ${MAX_NAME} visible characters and no "/"`,
  })

/** Composed (NFC), so that a search finds Hangul however it was typed. */
export const textSchema = z
  .string()
  .transform((text) => text.replace(/\r\n?/g, '\n').normalize('NFC'))
  .refine((text) => text.trim() !== '' && !isTooLong(text) && !UNPRINTABLE.test(text), {
    message: `a text has 1 to ${MAX_TEXT} characters and no control characters`,
  })

/** Counted in code points: a character outside the basic plane is one. */
export function isTooLong(text: string): boolean {
  return text.length > MAX_TEXT && [...text].length > MAX_TEXT
}

/** The name as it is kept, or undefined when it is none. */
export function parseName(name: unknown): string | undefined {
  return nameSchema.safeParse(name).data
}
