/** The config's schema file is the validation's own, the README's example is valid, and bad configs are told by field. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ConfigError, parseConfig } from '../kit/process/config.js'
import { toJsonSchema } from '../kit/process/testkit.js'
import { proxySchema, verifyProxy } from './config.js'
import { filters } from './filters/index.js'

const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')
type Loose = Record<string, Record<string, unknown>[]> & {
  identity?: unknown
  filters: Record<string, unknown>
}
const example = (): Loose => JSON.parse(/```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? '') as Loose
const problemsOf = (change: (config: Loose) => void): readonly string[] => {
  const config = example()
  change(config)
  try {
    verifyProxy(parseConfig(proxySchema, config))
  } catch (error) {
    return (error as ConfigError).problems
  }
  return []
}

describe('the config', () => {
  it('has a schema file that is up to date (vitest -u writes it)', async () => {
    await expect(toJsonSchema(proxySchema, 'Meshbench proxy')).toMatchFileSnapshot('config.schema.json')
  })

  it('of the README is valid, and all functions are off by default', () => {
    expect(problemsOf(() => {})).toEqual([])
    const config = example() as Partial<Loose>
    delete config.filters
    expect(parseConfig(proxySchema, config).filters).toEqual({})
  })

  it('has each filter described in the README', () => {
    for (const name of Object.keys(filters)) expect(readme).toContain(`| \`${name}\``)
  })

  it('tells what is wrong, and where', () => {
    const [first] = example()['listeners'] as [Record<string, unknown>]
    expect(problemsOf((config) => delete config.identity).join('\n')).toMatch(
      /listeners\[0\]\.transport: .* needs config\.identity/,
    )
    expect(problemsOf((config) => config['listeners']?.push(first))).toEqual([
      `config.listeners[1].name: ${String(first['name'])} is taken`,
    ])
    expect(problemsOf((config) => config['routes']?.push({ match: {}, cluster: 'nowhere' })).join()).toMatch(
      /nowhere is not one of/,
    )
    expect(problemsOf((config) => config['routes']?.push({ match: {} })).join()).toMatch(
      /either cluster or split/,
    )
    expect(problemsOf((config) => (config.filters['mirror'] = { cluster: 'nowhere' })).join()).toMatch(
      /filters\.mirror\.cluster/,
    )
    const tokens = { issuer: 'i', audiences: ['a'] }
    const jwt = (keys: object) =>
      problemsOf((config) => (config.filters['jwt'] = { ...tokens, ...keys })).join()
    expect(jwt({ remoteJwks: { cluster: 'nowhere' } })).toMatch(/filters\.jwt\.remoteJwks\.cluster: nowhere/)
    expect(jwt({})).toMatch(/filters\.jwt\.jwks: either jwks or remoteJwks/)
    expect(problemsOf((config) => (config.filters['burn'] = { cpuUs: -1 })).join()).toMatch(
      /config\.filters\.burn\.cpuUs/,
    )
    expect(problemsOf((config) => (config.filters['nothing'] = {})).join()).toMatch(/nothing/)
  })
})
