/** Digits behind the point that a sum keeps, as INCRBYFLOAT does. */
const KEPT = 17
/** Numbers that would need more digits are added as doubles. */
const MAX_DIGITS = 400

/** Bits of the significand that Redis adds with: those of a long double on x86. */
const SIGNIFICAND = 64

/**
 * The sum of two decimals as INCRBYFLOAT answers it: no exponent, at most 17 digits behind the point, no trailing zeros.
 * Both summands and the sum are rounded to 64 binary digits, ties to even: 0.1 + 0.2 is 0.3, and beyond 2^63 nothing
 * is left behind the point. Undefined when a text is no finite decimal.
 */
export function addDecimals(a: string, b: string): string | undefined {
  const one = parse(a)
  const other = parse(b)
  if (one === undefined || other === undefined) return undefined
  const left = rounded(one.digits, 10n ** BigInt(one.scale))
  const right = rounded(other.digits, 10n ** BigInt(other.scale))
  const exponent = Math.min(left.exponent, right.exponent)
  const sum = (left.bits << BigInt(left.exponent - exponent)) + (right.bits << BigInt(right.exponent - exponent))
  const { bits, exponent: power } =
    exponent < 0 ? rounded(sum, 1n << BigInt(-exponent)) : rounded(sum << BigInt(exponent), 1n)
  // A power of two below 1 has as many decimal places as it has binary ones.
  return power < 0 ? print(bits * 5n ** BigInt(-power), -power) : print(bits << BigInt(power), 0)
}

/** numerator / denominator as bits × 2^exponent, the bits at most SIGNIFICAND many. */
function rounded(numerator: bigint, denominator: bigint): { bits: bigint; exponent: number } {
  if (numerator === 0n) return { bits: 0n, exponent: 0 }
  const negative = numerator < 0n
  const size = negative ? -numerator : numerator
  let exponent = bitLength(size) - bitLength(denominator) - SIGNIFICAND
  let bits = divided(size, denominator, exponent)
  if (bitLength(bits) > SIGNIFICAND) bits = divided(size, denominator, ++exponent)
  return { bits: negative ? -bits : bits, exponent }
}

/** size / (denominator × 2^exponent), rounded to the nearest, ties to even. */
function divided(size: bigint, denominator: bigint, exponent: number): bigint {
  const dividend = exponent < 0 ? size << BigInt(-exponent) : size
  const divisor = exponent < 0 ? denominator : denominator << BigInt(exponent)
  const quotient = dividend / divisor
  const twice = (dividend % divisor) * 2n
  return twice > divisor || (twice === divisor && (quotient & 1n) === 1n) ? quotient + 1n : quotient
}

function bitLength(value: bigint): number {
  return value.toString(2).length
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
    digits = divided(digits, unit, 0)
    places = KEPT
  }
  const text = digits.toString().padStart(places + 1, '0')
  const whole = text.slice(0, text.length - places)
  const fraction = text.slice(text.length - places).replace(/0+$/, '')
  const value = fraction === '' ? whole : `${whole}.${fraction}`
  return negative && digits !== 0n ? `-${value}` : value
}
