/** Odd journals through every verb and format that judges: each says what was written down beside it, and no more. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { renderTerminal } from '../../reports/formats/terminal.js'
import { analyze } from '../analyze/analyze.js'
import { standingsOf } from '../analyze/standings.js'
import { UserError } from '../model/errors.js'
import { readJournal } from '../run/journal.js'
import { damagedJournals, oddJournals, soundJournal } from '../testdata/odd-journals.js'
import { compareCommand } from './commands/compare.js'
import { gateCommand } from './commands/gate.js'
import { reportCommand } from './commands/report.js'
import { endingOf } from './ending.js'

let folder: string
let printed: string[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshbench-odd-'))
  write('reference', soundJournal())
})
afterAll(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  const run = join(folder, name.replace(/\W+/g, '-'))
  mkdirSync(run, { recursive: true })
  writeFileSync(join(run, 'journal.jsonl'), text)
  return run
}

/** What a verb prints, and its exit code: the one that it returns, or that of its refusal. */
async function call(verb: () => Promise<number>): Promise<{ readonly code: number; readonly text: string }> {
  printed = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text))
    return true
  })
  try {
    const code = await verb()
    return { code, text: printed.join('') }
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { code: error.exitCode, text: printed.join('') + error.message }
  } finally {
    spy.mockRestore()
  }
}

const plainText = (text: string) => text.replace(/\\([^\w\s])/g, '$1').replace(/\s+/g, ' ')
/** Of what was asked for: claims that a run has no data on are skipped, too. */
const counted = (xml: string, name: string) =>
  [...xml.matchAll(/<testsuite name="(\w+)"[^>]*>/g)]
    .filter(([, suite]) => suite !== 'claims')
    .reduce((sum, [tag]) => sum + Number(new RegExp(`${name}="(\\d+)"`).exec(tag)?.[1]), 0)

/** Samples of an OpenMetrics text, which must be whole and well formed. */
function samplesOf(text: string) {
  const lines = text.split('\n')
  expect(lines.slice(-2)).toEqual(['# EOF', ''])
  return lines.slice(0, -2).flatMap((line) => {
    if (/^# (TYPE|UNIT|HELP) /.test(line)) return []
    const [, name = '', labels = '', value] = /^(\w+)\{(.*)\} (-?[\d.e+-]+)$/.exec(line) ?? []
    expect(line).toMatch(/^meshbench_\w+\{/)
    const pairs = [...labels.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)].map(([, key = '', text = '']) => [
      key,
      text,
    ])
    return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }]
  })
}

describe.each(Object.entries(oddJournals))('a journal: %s', (name, expected) => {
  it('says no more than it holds, in every output alike', { timeout: 180_000 }, async () => {
    const run = write(name, expected.journal())
    const analysis = analyze(readJournal(run).entries)
    expect(standingsOf(analysis).map(({ state }) => state)).toEqual(expected.standings)
    expect(analysis.thresholds.map(({ state }) => state)).toEqual(expected.thresholds)

    expect(endingOf(analysis).code).toBe(expected.run)

    vi.stubEnv('GITHUB_ACTIONS', 'true')
    vi.stubEnv('GITHUB_STEP_SUMMARY', join(run, 'step.md'))
    const formats = ['html', 'junit', 'markdown', 'openmetrics']
    const report = await call(() => reportCommand(run, { format: formats, json: false }))
    const gate = await call(() => gateCommand(run, {}))
    vi.unstubAllEnvs()
    expect(report.code).toBe(0)
    expect(report.text.match(/^::error /gm)?.length ?? 0).toBe(expected.annotated)

    const junit = readFileSync(join(run, 'junit.xml'), 'utf8')
    const { errors, failures, skipped } = expected.junit
    expect(['errors', 'failures', 'skipped'].map((name) => counted(junit, name))).toEqual([
      errors,
      failures,
      skipped,
    ])

    expect(gate.code).toBe(expected.gate === 'nothing to judge' ? 2 : expected.gate)
    if (expected.gate !== 0) expect(gate.text).not.toMatch(/passed/)

    const markdown = plainText(readFileSync(join(run, 'summary.md'), 'utf8'))
    const terminal = plainText(renderTerminal(analysis, { columns: 200, colour: false }))
    for (const text of [markdown, terminal])
      if (expected.says !== undefined) expect(text).toMatch(expected.says)
    for (const state of ['pass', 'fail', 'no data', 'inconclusive'] as const)
      expect(markdown.split(`**${state}**`).length - 1).toBe(
        expected.thresholds.filter((other) => other === state).length,
      )

    // One round has no spread, in no format.
    const rounds = Math.max(0, ...analysis.cells.map(({ trials }) => trials.ok))
    if (rounds <= 1) for (const text of [markdown, terminal]) expect(text).not.toMatch(/±/)

    const html = readFileSync(join(run, 'report.html'), 'utf8')
    const headline = /<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1]?.replace(/<[^>]*>/g, '') ?? ''
    expect(headline).not.toBe('')
    const isComparable = expected.compared === 'agree' || expected.compared === 'apart'
    if (expected.standings.every((state) => state !== 'measured'))
      expect(headline).not.toMatch(/\d\s?ms|times/)
    if (!isComparable && rounds < 3) expect(headline).not.toMatch(/adds the least|cheapest|dearest/)

    expect(plainText(headline)).toMatch(expected.headline)
    if (expected.valid === 1) expect(headline).not.toMatch(/\([^)]* to /)

    const exported = samplesOf(readFileSync(join(run, 'metrics.txt'), 'utf8'))
    const first = analysis.arms.find(({ role }) => role === 'subject')?.id
    const named = (name: string) => exported.filter((sample) => sample.name === name)
    expect(named('meshbench_threshold_passed').map(({ labels, value }) => [labels.state, value])).toEqual(
      expected.thresholds.map((state) => [state, state === 'pass' ? 1 : 0]),
    )
    const valid = named('meshbench_trials').filter(
      ({ labels }) => labels.arm === first && labels.state === 'ok',
    )
    expect(valid.reduce((sum, { value }) => sum + value, 0)).toBe(expected.valid)
    const verdicts = named('meshbench_comparison_ratio')
      .filter(({ labels }) => labels.arm === first && labels.versus === 'none/baseline')
      .map(({ labels }) => labels.verdict)
    expect(
      verdicts.length === 0
        ? 'nothing'
        : verdicts.every((verdict) => verdict === 'inconclusive')
          ? 'undecided'
          : 'decided',
    ).toBe(expected.exported)
    if (rounds <= 1) expect(exported.filter(({ labels }) => labels.bound === 'low')).toEqual([])

    const out = join(run, 'compare.html')
    const compared = await call(() => compareCommand(join(folder, 'reference'), run, { force: true, out }))
    if (expected.compared === 'nothing in common') {
      expect([compared.code, compared.text]).toEqual([
        4,
        expect.stringMatching(/nothing to compare with each other:\n {2}- .* compares /),
      ])
    } else {
      expect(compared.code).toBe(0)
      expect(/became worse/.test(compared.text)).toBe(expected.compared === 'apart')
      expect(/; (\d+) of \1 are not decided/.test(compared.text)).toBe(expected.compared === 'too few')
    }
  })
})

describe.each(Object.entries(damagedJournals))(
  'no journal of a run: %s',
  (name, { journal: make, named }) => {
    it('is refused by every verb with the line', async () => {
      const run = write(name, make())
      const verbs = [
        () => reportCommand(run, { format: ['junit'], json: false }),
        () => gateCommand(run, {}),
        () => compareCommand(join(folder, 'reference'), run, { force: true }),
      ]
      for (const verb of verbs) {
        const { code, text } = await call(verb)
        expect([code, text]).toEqual([2, expect.stringMatching(named)])
      }
    })
  },
)
