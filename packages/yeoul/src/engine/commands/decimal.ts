/** Digits behind the point that a sum keeps, as INCRBYFLOAT does. */
const KEPT = 17
/** Numbers that would need more digits are added as doubles. */
const MAX_DIGITS = 400

/**
 * The sum of two decimals as INCRBYFLOAT answers it: no exponent, at most 17 digits behind the point, no trailing zeros.
 * Redis adds with more precision than a double has (0.1 + 0.2 is 0.3): this adds exactly. Undefined when a text is no
 * finite decimal.
 */
export function addDecimals(a: string, b: string): string | undefined {
  const one = parse(a)
  const other = parse(b)
  if (one === undefined || other === undefined) return undefined
  const scale = Math.max(one.scale, other.scale)
  const sum = one.digits * 10n ** BigInt(scale - one.scale) + other.digits * 10n ** BigInt(scale - other.scale)
  return print(sum, scale)
}

interface Decimal {
  /** The number is digits / 10^scale. */
  digits: bigint
  scale: number
}

function parse(text: string): Decimal | undefined {
  const match = /^([+-]?)([0-9]*)\.?([0-9]*)(?:e([+-]?[0-9]{1,4}))?$/i.exec(text)
  if (match === null || match[2].length + match[3].length === 0) return undefined
  const exponent = Number(match[4] ?? 0)
  const scale = match[3].length - exponent
  if (Math.abs(scale) > MAX_DIGITS || match[2].length > MAX_DIGITS) return undefined
  const digits = BigInt(`${match[2]}${match[3]}`) * (match[1] === '-' ? -1n : 1n)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

function print(sum: bigint, scale: number): string {
  const negative = sum < 0n
  let digits = negative ? -sum : sum
  let places = scale
  if (places > KEPT) {
    const unit = 10n ** BigInt(places - KEPT)
    digits = (digits + unit / 2n) / unit
    places = KEPT
  }
  const text = digits.toString().padStart(places + 1, '0')
  const whole = text.slice(0, text.length - places)
  const fraction = text.slice(text.length - places).replace(/0+$/, '')
  const value = fraction === '' ? whole : `${whole}.${fraction}`
  return negative && digits !== 0n ? `-${value}` : value
}
