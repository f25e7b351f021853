import { describe, expect, it } from 'vitest'
import { addDecimals } from './decimal.js'

describe('addDecimals', () => {
  it.each([
    ['0.1', '0.2', '0.3'],
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['-1.5', '1.5', '0'],
    ['-0.25', '0', '-0.25'],
    ['.5', '1.', '1.5'],
    ['9223372036854775807', '1.5', '9223372036854775808.5'],
    ['1e-17', '0', '0.00000000000000001'],
    ['1e-18', '0', '0'],
    ['6e-18', '0', '0.00000000000000001'],
  ])('%s + %s = %s', (a, b, sum) => {
    expect(addDecimals(a, b)).toBe(sum)
  })

  it.each(['inf', '', '.', 'x', '1e99999', '0x10'])('leaves %j to others', (text) => {
    expect(addDecimals(text, '1')).toBeUndefined()
  })
})
