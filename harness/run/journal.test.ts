import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { catalogue } from '../cli/catalogue.js'
import { resolveConfig } from '../config/resolve-config.js'
import { UserError } from '../model/errors.js'
import { journalName, openJournal, readJournal } from './journal.js'
import type { RunHeader } from '../model.js'
import { makePlan } from '../plan/plan.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-test-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const header: RunHeader = {
  type: 'run',
  schema: 1,
  runId: 'test',
  version: '0.0.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  command: [],
  plan: makePlan(resolveConfig({ arms: { reference: ['l4-only'] } }), catalogue),
  host: {
    hostKey: 'host',
    cpuModel: 'cpu',
    cpus: 2,
    memoryBytes: 1,
    kernel: 'k',
    os: 'o',
    arch: 'x64',
    cgroup: 'v2',
    node: 'v20',
    loadAverage1m: 0,
    bundles: {},
  },
}
const note = (text: string) => ({ type: 'note', at: '2026-01-01T00:00:00.000Z', text }) as const

test('what is appended is read back', () => {
  const journal = openJournal(folder)
  journal.append(header)
  journal.append(note('first'))
  journal.close()
  const { entries } = readJournal(folder)
  expect(entries).toEqual([header, note('first')])
})

test('half a line at the end is left out when read, and cut off when the run goes on', () => {
  const journal = openJournal(folder)
  journal.append(header)
  journal.close()
  appendFileSync(join(folder, journalName), '{"type":"trial","ind')
  expect(readJournal(folder)).toMatchObject({ entries: [{ type: 'run' }] })
  const again = openJournal(folder)
  again.append(note('after'))
  again.close()
  expect(readJournal(folder)).toMatchObject({ entries: [{ type: 'run' }, { text: 'after' }] })
})

test.each([
  ['an empty file', '', 'has no header'],
  ['half a header', '{"type":"run"', 'has no header'],
  ['a line that is not JSON', `${JSON.stringify(header)}\nnonsense\n`, 'line 2 is not JSON'],
  ['an entry of unknown type', `${JSON.stringify(header)}\n{"type":"?"}\n`, 'line 2 is of unknown type "?"'],
  ['an entry without a type', `${JSON.stringify(header)}\n{}\n`, 'line 2 has no type'],
  [
    'a trial without a state',
    `${JSON.stringify(header)}\n{"type":"trial","index":0,"round":0,"cell":"x","attempt":0,"startedAt":"2026-01-01T00:00:00Z","elapsedMs":1,"proof":[],"reasons":[],"warnings":[]}\n`,
    'line 2 (trial) is malformed: state: nothing',
  ],
  [
    'a trial of another plan',
    `${JSON.stringify(header)}\n{"type":"trial","index":0,"round":0,"cell":"x","attempt":0,"state":"failed","startedAt":"2026-01-01T00:00:00Z","elapsedMs":1,"proof":[],"reasons":[],"warnings":[]}\n`,
    'line 2: cell: "x" is not in the run',
  ],
  [
    'another schema',
    `${JSON.stringify({ ...header, schema: 7 })}\n`,
    'has schema 7; this version reads schema 1',
  ],
])('%s is refused with what is wrong', (_name, text, message) => {
  writeFileSync(join(folder, journalName), text)
  expect(() => readJournal(folder)).toThrow(UserError)
  expect(() => readJournal(folder)).toThrow(message)
})

test('a byte order mark and empty lines at the end are no damage; a trial that is there twice is', () => {
  const trial = `{"type":"trial","index":0,"round":0,"cell":${JSON.stringify(header.plan.cells[0]?.id)},"attempt":0,"state":"failed","startedAt":"2026-01-01T00:00:00Z","elapsedMs":1,"proof":[],"reasons":[],"warnings":[]}`
  const write = (...lines: string[]) => writeFileSync(join(folder, journalName), lines.join('\n'))
  write(`\uFEFF${JSON.stringify(header)}`, trial, '', '')
  expect(readJournal(folder)).toMatchObject({ entries: [{ type: 'run' }, { type: 'trial' }] })
  write(JSON.stringify(header), trial, trial, '')
  expect(() => readJournal(folder)).toThrow('line 3 is the same trial as line 2')
})

test.each(['\n\n', '\r\n\r\n \n'])('empty lines at the end do not come to stand within it: %j', (end) => {
  const eol = end.startsWith('\r') ? '\r\n' : '\n'
  writeFileSync(join(folder, journalName), `${JSON.stringify(header)}${eol}${end}`)
  const journal = openJournal(folder)
  journal.append(note('after'))
  journal.close()
  expect(readJournal(folder)).toMatchObject({ entries: [{ type: 'run' }, { text: 'after' }] })
})

test('an attempt that was interrupted is there again under its number once the run has gone on', () => {
  const trial = (startedAt: string, rest: object) => ({
    ...{ type: 'trial', index: 0, round: 0, cell: header.plan.cells[0]?.id, attempt: 0, startedAt },
    ...{ elapsedMs: 1, proof: [], reasons: [], warnings: [], ...rest },
  })
  const interrupted = { state: 'failed', error: { kind: 'interrupted', message: 'interrupted' } }
  const write = (...lines: object[]) =>
    writeFileSync(join(folder, journalName), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const [first, second] = ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'].map((at) => trial(at, interrupted))
  const done = trial('2026-01-01T02:00:00Z', { state: 'ok' })
  write(header, first ?? {}, second ?? {}, done)
  expect(readJournal(folder).entries).toHaveLength(4)
  write(header, first ?? {}, first ?? {}, done)
  expect(() => readJournal(folder)).toThrow('line 3 is the same trial as line 2')
})

test('a missing journal is named', () => {
  expect(() => readJournal(join(folder, 'nowhere'))).toThrow(/no journal at .*nowhere/)
})

test('a journal is only ever appended to', () => {
  const first = openJournal(folder)
  first.append(header)
  first.close()
  const before = readFileSync(join(folder, journalName), 'utf8')
  const second = openJournal(folder)
  second.append(note('more'))
  second.close()
  expect(readFileSync(join(folder, journalName), 'utf8').startsWith(before)).toBe(true)
})
