/** The config's schema file is the validation's own, and the README's example is a valid config. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ConfigError, parseConfig } from '../kit/process/config.js'
import { toJsonSchema } from '../kit/process/testkit.js'
import { type TunnelConfig, tunnelSchema, verifyTunnel } from './config.js'

const example = (): unknown => {
  const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')
  return JSON.parse(/```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? '')
}
const problemsOf = (change: (config: TunnelConfig) => void): readonly string[] => {
  const config = example() as TunnelConfig
  change(config)
  try {
    verifyTunnel(parseConfig(tunnelSchema, config))
  } catch (error) {
    return (error as ConfigError).problems
  }
  return []
}

describe('the config', () => {
  it('has a schema file that is up to date (vitest -u writes it)', async () => {
    await expect(toJsonSchema(tunnelSchema, 'Meshbench tunnel')).toMatchFileSnapshot('config.schema.json')
  })

  it('of the README is valid, with defaults filled in', () => {
    const config = parseConfig(tunnelSchema, example())
    verifyTunnel(config)
    expect(config.pool).toMatchObject({ maxStreamsPerConnection: 100, multiplex: true, idleMs: 300_000 })
    expect(config.drainMs).toBe(10_000)
  })

  it.each<[string, (config: { listeners: [object, object] }) => void, string]>([
    ['an unknown field', (config) => Object.assign(config, { pools: {} }), 'unknown field pools'],
    [
      'a bad SPIFFE id',
      (config) => Object.assign(config.listeners[0], { source: 'client' }),
      'config.listeners[0].source',
    ],
    [
      'an unknown workload',
      (config) => Object.assign(config.listeners[0], { source: 'spiffe://bench.local/x' }),
      'is not one of config.workloads',
    ],
    [
      'a name that is taken',
      (config) => Object.assign(config.listeners[1], { name: 'outbound' }),
      'outbound is taken',
    ],
    [
      'a bad address block',
      (config) =>
        Object.assign(config.listeners[1], {
          routes: [
            {
              authority: 'a:1',
              workload: 'spiffe://bench.local/ns/bench/sa/server',
              to: { host: 'a', port: 1 },
              allow: [{ addresses: ['x/8'] }],
            },
          ],
        }),
      'CIDR',
    ],
  ])('refuses %s by name', (_title, change, text) => {
    expect(problemsOf(change as never).join('\n')).toContain(text)
  })
})
