import { describe, expect, it } from 'vitest'
import { analyze } from '../analyze/analyze.js'
import { entrySchemas } from '../model/journal.js'
import type { JournalEntry } from '../model.js'
import { syntheticJournal } from '../testdata/synthetic-journal.js'
import { redact } from './redact.js'

const entries = syntheticJournal({ experiments: ['latency'], rounds: 3, arms: ['l4-only'] }).map(
  (entry): JournalEntry => {
    if (entry.type === 'run') {
      const { plan, host } = entry
      const platformSettings = {
        kubernetes: {
          context: 'acme-staging',
          images: { echo: 'registry.acme.example:5000/bench/echo:1' },
          nodeSelectors: { client: { 'cloud.example/pool': 'pool-anna' } },
        },
      }
      return {
        ...entry,
        command: ['run', '--config', '/Users/anna/work/bench.config.ts'],
        host: { ...host, environment: { NODE_OPTIONS: '--require /Users/anna/hook.js' } },
        plan: { ...plan, config: { ...plan.config, platformSettings } },
      }
    }
    if (entry.type === 'environment')
      return {
        ...entry,
        facts: [
          ...entry.facts,
          { name: 'platform', value: 'kubernetes: context acme-staging, Kubernetes 1.34.4' },
          {
            name: 'placement',
            value: 'client on node-a.acme, server on node-ab.acme, waypoint on node-a.acme',
          },
        ],
      }
    return entry
  },
)
const note = (text: string): JournalEntry => ({ type: 'note', at: '2026-11-22T10:04:31.000Z', text })
const after = (text: string, also: readonly string[] = []) => {
  const last = redact([...entries, note(text)], also).entries.at(-1)
  return last?.type === 'note' ? last.text : undefined
}

describe('a redacted journal', () => {
  it('names no context, node, label, registry, path or variable’s value of the run, anywhere', () => {
    const { entries: shown, hidden } = redact(entries)
    const text = JSON.stringify(shown)
    for (const secret of ['acme', 'anna', 'hook.js']) expect(text).not.toContain(secret)
    expect(text).toContain('context context-1, Kubernetes 1.34.4')
    expect(text).toContain('client on node-2, server on node-1, waypoint on node-2')
    expect(text).toContain('host-1/bench/echo:1')
    expect(text).toMatch(/\/path-\d\/bench\.config\.ts/)
    expect(hidden.get('acme-staging')).toBe('context-1')
  })

  it('is a journal, and its figures are what they were', () => {
    const shown = redact(entries).entries
    for (const entry of shown) expect(entrySchemas[entry.type].safeParse(entry).error).toBeUndefined()
    const [before, then] = [analyze(entries), analyze(shown)]
    expect(then.comparisons).toEqual(before.comparisons)
    expect(then.host).toEqual({ ...before.host, environment: { NODE_OPTIONS: 'value-1' } })
  })

  it.each([
    ['dial tcp 10.1.2.3:6443: i/o timeout', 'dial tcp address-1:6443: i/o timeout'],
    ['fd00:10::5 is not 10.1.2.3', 'address-2 is not address-1'],
    ['https://api.acme.example:6443/version refused', 'https://host-3/version refused'],
    [
      'cannot read /srv/data/anna/x.json, /srv/data/anna/x.json',
      'cannot read /path-2/x.json, /path-2/x.json',
    ],
    ['mail anna@acme.example', 'mail mail-1'],
  ])('hides what looks like a name: %s', (text, shown) => {
    expect(after(text)).toBe(shown)
  })

  it.each([
    'http://127.0.0.1:8080/x, https://localhost:1, 127.0.0.1, ::1, 0.0.0.0',
    'spiffe://cluster.local/ns/bench/sa/client accepted at server-tunnel',
    'latency/200/s/reference/l4-only at 15:04:31, 1.34.4, Envoy 1.40.0, v20.20.2',
    '/proc/self/status and /sys/fs/cgroup/cpu, POST /echo?size=1',
    'sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0',
  ])('leaves alone what names nobody: %s', (text) => {
    expect(after(text)).toBe(text)
  })

  it('hides what it is told to', () => {
    expect(after('Anna’s laptop, laptop', ['laptop'])).toBe('Anna’s text-1, text-1')
  })
})
