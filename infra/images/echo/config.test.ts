import { describe, expect, it } from 'vitest'
import { parseConfig } from '../kit/process/config.js'
import { toJsonSchema } from '../kit/process/testkit.js'
import { echoSchema } from './config.js'

const listener = { name: 'http', kind: 'http', host: '127.0.0.1', port: 0 }
const config = { admin: { host: '127.0.0.1', port: 0 }, listeners: [listener] }

describe('the config', () => {
  it('injects nothing unless it is told to', () => {
    expect(parseConfig(echoSchema, config).faults).toEqual({ delayMs: 0, burnUs: 0, burnEvery: 1 })
  })

  it('names every problem', () => {
    const bad = { ...config, listeners: [{ ...listener, kind: 'udp' }], faults: { delayMs: -1, dealy: 2 } }
    expect(() => parseConfig(echoSchema, bad)).toThrow(/listeners\[0\]\.kind[^]*faults\.delayMs[^]*dealy/)
  })

  it('is described by a JSON Schema', async () => {
    await expect(toJsonSchema(echoSchema, 'Meshbench echo server')).toMatchFileSnapshot('config.schema.json')
  })
})
