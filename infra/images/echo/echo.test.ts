import { describe, expect, it } from 'vitest'
import { parseTarget } from './request.js'

describe('parseTarget', () => {
  it('reads size, delay and status', () => {
    expect(parseTarget('/echo?size=1024&delay=0.2ms&status=503')).toEqual({
      sizeBytes: 1024,
      delayUs: 200,
      status: 503,
    })
    expect(parseTarget('/echo?delay=50us').delayUs).toBe(50)
    expect(parseTarget('/echo?delay=1.5s').delayUs).toBe(1_500_000)
    expect(parseTarget('/anything')).toEqual({ sizeBytes: undefined, delayUs: 0, status: 200 })
  })

  for (const query of ['size=-1', 'size=1k', 'size=', 'delay=fast', 'delay=61s', 'status=99', 'status=700']) {
    it(`refuses ${query}, naming it`, () => {
      expect(() => parseTarget(`/echo?${query}`)).toThrow(query.split('=')[0])
    })
  }
})
