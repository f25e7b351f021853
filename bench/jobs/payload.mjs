/** A job of 200 bytes as JSON: a running number, the time it was published at (µs, shared clock), and text. */
export function job(n, at = 0) {
  const value = { n, at, customer: 'customer-17', text: '' }
  value.text = filler.slice(0, 200 - JSON.stringify(value).length)
  return value
}

export function jobs(from, count) {
  return Array.from({ length: count }, (_, i) => job(from + i))
}

const filler = 'Two boxes of screws, the long ones, and whatever is left of the blue paint. '.repeat(4)
