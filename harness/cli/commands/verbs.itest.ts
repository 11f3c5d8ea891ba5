/** The verbs that need no run: what they write, print and refuse, through the real command line. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { syntheticJournal, type SyntheticOptions } from '../../testdata/synthetic-journal.js'
import { createWorkspace, type Workspace } from '../../testing/cli.js'
import type { JournalEntry, RunHeader } from '../../model.js'

let workspace: Workspace

function writeRun(
  name: string,
  options: SyntheticOptions,
  change: (header: RunHeader) => RunHeader = (other) => other,
  folder = 'runs',
) {
  const entries = syntheticJournal({ rounds: 4, experiments: ['latency'], ...options })
  const lines = entries.map((entry): JournalEntry =>
    entry.type === 'run' ? change({ ...entry, runId: name }) : entry,
  )
  mkdirSync(workspace.path(`${folder}/${name}`), { recursive: true })
  writeFileSync(
    workspace.path(`${folder}/${name}/journal.jsonl`),
    lines.map((entry) => `${JSON.stringify(entry)}\n`).join(''),
  )
}

beforeAll(() => {
  workspace = createWorkspace()
  const [arm, relativeTo] = ['reference/l4-l7-l4', 'reference/l7-sidecar-to-sidecar']
  writeRun('one', { thresholds: [{ metric: 'cpu.per1000Requests', arm, relativeTo, max: 0.5 }] })
  writeRun('same', { thresholds: [{ metric: 'cpu.per1000Requests', arm, relativeTo, max: 0.5 }] })
  writeRun('other', { seed: 2 }, (header) => ({ ...header, host: { ...header.host, hostKey: 'another' } }))
})
afterAll(() => workspace.remove())

const read = (name: string) => readFileSync(workspace.path(name), 'utf8')

describe('a config', () => {
  it('of init, a function, and one that stands in a folder of its own all plan without the package beside them', async () => {
    const alone = createWorkspace()
    try {
      const init = await alone.meshbench('init')
      expect([init.code, init.stderr]).toEqual([0, ''])
      const plan = await alone.meshbench('plan')
      expect([plan.code, plan.stderr, plan.stdout]).toEqual([
        0,
        '',
        expect.stringContaining('reference/l4-only'),
      ])
      writeFileSync(
        alone.path('bench.config.ts'),
        "export default async () => ({ seed: await Promise.resolve(77), arms: { reference: ['l4-only'] } })",
      )
      expect((await alone.meshbench('plan')).stdout).toContain('seed 77')
      const folder = await alone.meshbench('plan', '--config', '.')
      expect([folder.code, folder.stderr]).toEqual([2, expect.stringContaining('. is a folder')])
      writeFileSync(
        alone.path('bench.config.ts'),
        "import { defineConfig } from 'meshbench'\nexport default defineConfig({})",
      )
      expect((await alone.meshbench('plan')).stderr).toContain('npm install meshbench')
    } finally {
      alone.remove()
    }
  })
})

describe('a mix', () => {
  it('is made of an access log, and can be measured as it is printed', async () => {
    const alone = createWorkspace()
    try {
      const line = (sent: number) => `{"bytes_received":10,"bytes_sent":${sent}}`
      writeFileSync(
        alone.path('access.log'),
        [line(700), line(700), line(700), line(90_000), 'odd'].join('\n'),
      )
      const { code, stdout, stderr } = await alone.meshbench('mix', 'access.log')
      expect([code, stderr]).toEqual([0, 'lines of no known format, which are left out: 1\n'])
      writeFileSync(
        alone.path('bench.config.ts'),
        `export default { arms: { reference: ['l4-only'] }, experiments: { latency: { ${stdout} } } }`,
      )
      const plan = await alone.meshbench('plan', '--json')
      const { cells } = JSON.parse(plan.stdout) as {
        cells: { load: { mix: unknown; payloadBytes: number } }[]
      }
      expect(cells[0]?.load).toMatchObject({
        payloadBytes: 23_025,
        mix: [
          { share: 3, requestBytes: 10, payloadBytes: 700 },
          { share: 1, requestBytes: 10, payloadBytes: 90_000 },
        ],
      })
      writeFileSync(
        alone.path('bench.config.ts'),
        `export default { arms: { reference: ['l4-only'] }, experiments: { latency: { protocol: 'tcp', ${stdout} } } }`,
      )
      expect((await alone.meshbench('plan')).stderr).toContain(
        'experiments.latency.mix: tcp has one kind of request',
      )
    } finally {
      alone.remove()
    }
  })
})

describe('what is wrong with a config', () => {
  it('is told once for all experiments, and of what hops would refuse when they start', async () => {
    const alone = createWorkspace()
    try {
      const burn = { proxy: { filters: { burn: { cpuUs: '5' }, retry: { attempt: 3 }, jwt: {} } } }
      alone.writeConfig({ arms: { reference: ['l7-per-node'] }, meshSettings: { reference: burn } })
      const { code, stderr } = await alone.meshbench('plan', '--experiment', 'all')
      expect([code, stderr.split('\n  → ')[0]]).toEqual([
        2,
        [
          'meshbench: bench.config.ts has 4 problems:',
          '  - meshSettings.reference.proxy.filters.burn.cpuUs: "5" is not allowed; needed: a number',
          '  - meshSettings.reference.proxy.filters.jwt.issuer: it is missing; needed: a text',
          '  - meshSettings.reference.proxy.filters.jwt.audiences: it is missing; needed: a list',
          '  - meshSettings.reference.proxy.filters.retry: unknown key "attempt" (3); allowed: retries, on, methods, backoff, budget',
        ].join('\n'),
      ])
      // A variant may complete what is there, and what it says of it is checked as ever.
      alone.writeConfig({
        arms: { reference: ['l7-per-node'] },
        meshSettings: { reference: { proxy: { filters: { burn: {} } } } },
      })
      const completed = await alone.meshbench('plan', '--variant', 'a=set:proxy.filters.burn.cpuUs=5')
      expect([completed.code, completed.stderr]).toEqual([0, ''])
    } finally {
      alone.remove()
    }
  })
})

describe('a plan', () => {
  it('says what arms and loads are in columns, however long a name is', async () => {
    const alone = createWorkspace()
    try {
      alone.writeConfig({
        arms: { reference: ['l4-only'] },
        experiments: { latency: {}, 'control-plane': {} },
      })
      const flags = ['--function', 'mutualAuthentication', 'connectionBalance', '--rounds', '1']
      const lines = (await alone.meshbench('plan', ...flags)).stdout.split('\n')
      const columns = (part: string) =>
        new Set(lines.filter((line) => line.includes(part)).map((line) => line.indexOf(part)))
      expect(lines.filter((line) => line.includes('client → '))).toHaveLength(5)
      expect(columns('client → ').size).toBe(1)
      expect(columns(' 1 round of ').size).toBe(1)
      expect(lines.join()).not.toContain('1 rounds')
    } finally {
      alone.remove()
    }
  })
})

describe('what was typed', () => {
  it('is help for nothing, and what was probably meant for a word that is near a verb, a value or a key', async () => {
    const alone = createWorkspace()
    try {
      alone.writeConfig({ arms: { reference: ['l4-only'] } })
      const answers = await Promise.all([
        alone.meshbench(),
        alone.meshbench('runn'),
        alone.meshbench('plan', '--function', 'jwtt'),
        alone.meshbench('plan', '--variant', 'v=set:proxy.filters.burn.cpuUs=abc'),
        alone.meshbench('plan', '--variant', 'v=set:proxy.filters.__proto__.x=1'),
        alone.meshbench('run', '--out', 'bench.config.ts'),
      ])
      const parts = [
        ['Usage: meshbench', 'run [options]'],
        ["unknown command 'runn'", 'Did you mean run?'],
        ['the command line has a problem', '--function: "jwtt" is unknown; did you mean jwt?'],
        ['--variant "v=set:proxy.filters.burn.cpuUs=abc"', 'proxy.filters.burn.cpuUs: "abc"'],
        ['__proto__ is no key of a setting'],
        ['--out: bench.config.ts is a file'],
      ]
      for (const [index, { code, stdout, stderr }] of answers.entries()) {
        for (const part of parts[index] ?? []) expect(stdout + stderr).toContain(part)
        expect([index, code]).toEqual([index, 2])
      }
    } finally {
      alone.remove()
    }
  })
})

describe('the name of a file or folder', () => {
  it('is refused when it is empty, as an unset variable of a script leaves it, or of the other kind', async () => {
    const run = 'runs/one'
    const page = `${run}/journal.jsonl`
    const refused: readonly (readonly [string, readonly string[]])[] = [
      ['a name is needed', ['report', '']],
      ['a name is needed', ['report', run, '--out', '']],
      ['a name is needed', ['report', run, '--format', '']],
      ['a name is needed', ['compare', run, '']],
      ['a name is needed', ['compare', run, run, '--out', ' ']],
      ['a name is needed', ['index', '']],
      ['a name is needed', ['clean', '']],
      ['a name is needed', ['run', '--out', '']],
      ['a name is needed', ['run', '--resume', '']],
      ['a name is needed', ['plan', '--config', '']],
      ['a name is needed', ['truth', '--tool', '']],
      ['a whole number from 1 to 64 is needed', ['mix', page, '--kinds', '65']],
      ['cannot read nowhere: ENOENT', ['mix', 'nowhere']],
      ['--out is the folder of the run', ['redact', run, '--out', run]],
      ['a name is needed', ['redact', run, '--out', '']],
      [
        '--fleet: unknown key "node" (3)',
        ['report', run, '--fleet', 'requestsPerSecond=1,pods=1,nodes=1,node=3'],
      ],
      [`--out: ${page} is a file`, ['report', run, '--out', page]],
      [`--out: ${page} is a file`, ['truth', '--out', page]],
      [`--out: ${run} is a folder`, ['compare', run, run, '--out', run]],
      ['--against: nowhere cannot be read', ['truth', '--against', 'nowhere']],
      // A file system that takes no folders, a device, and what lies below a file.
      ['--out: /proc/x cannot be written to: ENOENT', ['report', run, '--out', '/proc/x']],
      ['--out: /proc/x/y cannot be written to: ENOENT', ['run', '--out', '/proc/x/y']],
      ['--out: /proc/x cannot be written to: ENOENT', ['truth', '--out', '/proc/x']],
      ['--out: /proc/x/page.html cannot be written to', ['compare', run, run, '--out', '/proc/x/page.html']],
      ['--out: /dev/null is no ordinary file', ['compare', run, run, '--out', '/dev/null']],
      ['--out: /dev/null is a file', ['report', run, '--out', '/dev/null']],
      [`--out: ${page}/x cannot be written to: ENOTDIR`, ['report', run, '--out', `${page}/x`]],
    ]
    for (const [words, typed] of refused) {
      const { code, stderr } = await workspace.meshbench(...typed)
      expect([typed, code, stderr]).toEqual([typed, 2, expect.stringContaining(words)])
      if (words.includes('cannot be written')) expect(stderr).toMatch(/\n {2}→ name with --out what/)
    }
  })

  it('is that of the variable where a folder is not named by a flag', async () => {
    workspace.writeConfig({ arms: { reference: ['l4-only'] }, outDir: '/proc/x' })
    const run = await workspace.meshbench('run')
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('outDir of the config: /proc/x/')])
    const truth = await workspace.meshbenchWith({ TMPDIR: '/proc/x' }, 'truth', '--out', 'table')
    expect([truth.code, truth.stderr]).toEqual([
      2,
      expect.stringContaining('TMPDIR: /proc/x cannot be written to'),
    ])
    const clean = await workspace.meshbenchWith({ TMPDIR: '/proc/x' }, 'clean', 'nobody')
    expect([clean.code, clean.stdout]).toEqual([0, 'nothing is left of run nobody\n'])
  })

  it('waits for no reader of a pipe', async () => {
    mkdirSync(workspace.path('piped'))
    const { code, stderr } = await workspace.shell(
      'mkfifo piped/trials.csv && "$@" report runs/one --out piped --format csv',
    )
    expect([code, stderr]).toEqual([
      4,
      expect.stringContaining('cannot write to piped/trials.csv: it is no ordinary file'),
    ])
  })

  it('stands in the message where it cannot be written', async () => {
    mkdirSync(workspace.path('taken/trials.csv'), { recursive: true })
    const { code, stderr } = await workspace.meshbench(
      'report',
      'runs/one',
      '--out',
      'taken',
      '--format',
      'csv',
    )
    expect([code, stderr]).toEqual([4, expect.stringContaining('cannot write to taken/trials.csv: EISDIR')])
  })
})

describe('report', () => {
  it('writes the formats asked for, and tells GitHub Actions', async () => {
    const { code, stdout } = await workspace.meshbenchWith(
      { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: workspace.path('summary') },
      ...[
        'report',
        'runs/one',
        '--out',
        'out',
        '--format',
        'csv,junit',
        '--format',
        'chart-png',
        '--chart',
        'percentile-curve',
      ],
    )
    expect(code).toBe(0)
    expect(stdout).toContain('wrote out/trials.csv\nwrote out/junit.xml\nwrote out/percentile-curve.png\n')
    expect(stdout).toMatch(/::error title=Meshbench%3A threshold failed::cpu.per1000Requests of reference/)
    expect(read('summary')).toMatch(/^## Meshbench/)
    expect(read('out/junit.xml')).toContain('failures="1"')
  })

  it('writes what it was asked for beside the JSON that it prints, too', async () => {
    const { code, stdout, stderr } = await workspace.meshbench(
      ...['report', 'runs/one', '--json', '--out', 'beside', '--format', 'csv'],
    )
    expect([code, stderr]).toEqual([0, 'wrote beside/trials.csv\n'])
    expect(JSON.parse(stdout)).toMatchObject({ runId: 'one' })
    expect(read('beside/trials.csv')).toMatch(/,reasons\r\n/)
  })

  it('names what is allowed when a format is unknown', async () => {
    const { code, stderr } = await workspace.meshbench('report', 'runs/one', '--format', 'pdf')
    expect([code, stderr]).toEqual([2, expect.stringMatching(/"pdf" is unknown\n {2}→ allowed: html, /)])
  })
})

describe('compare', () => {
  it('says what each has, and what to do, where two runs have nothing in common', async () => {
    writeRun('apart', { experiments: ['saturation'] }, undefined, 'others')
    const { code, stderr } = await workspace.meshbench('compare', 'runs/one', 'others/apart')
    expect(code).toBe(4)
    expect(stderr).toMatch(
      /^meshbench: runs\/one and others\/apart have nothing to compare with each other:\n {2}- runs\/one compares .*reference\/l4-only.* under latency \(.*\n {2}- others\/apart compares .* under saturation \(.*\n {2}→ they share no load: measure both with the same --mesh, --arm, --experiment and --rate\n$/,
    )
  })

  it('sets two runs of one plan side by side', async () => {
    const { code, stdout } = await workspace.meshbench(
      'compare',
      'runs/one',
      'runs/same',
      '--out',
      'compare.html',
    )
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/ratios are the same|No ratio changed by more than matters/),
    ])
    expect(read('compare.html')).not.toContain('Compared because it was asked for.')
    expect(read('compare.md')).toMatch(/^## Meshbench: .*\n\nNothing differs/)
  })

  it('refuses another host and plan, each named, until it is told to', async () => {
    const refused = await workspace.meshbench('compare', 'runs/one', 'runs/other')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/different hosts .*\n.*different plans .*config\.seed/)
    const told = await workspace.meshbench('compare', 'runs/one', 'runs/other', '--force')
    expect(told.code).toBe(0)
    const page = read('runs/other/compare-one.html')
    expect(page.match(/Compared because it was asked for\./g)).toHaveLength(2)
  })
})

describe('what a journal from anybody says', () => {
  it('leads a comparison into no other folder', async () => {
    writeRun('odd', {}, (header) => ({ ...header, runId: 'x/../../../escaped' }), 'others')
    writeRun('even', {}, undefined, 'others')
    const { code, stdout } = await workspace.meshbench('compare', 'others/odd', 'others/even')
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining('/others/even/compare-x-..-..-..-escaped.html\n'),
    ])
    expect(existsSync(workspace.path('escaped.html'))).toBe(false)
  })

  it('is no command to the terminal that reads it', async () => {
    const alone = createWorkspace()
    try {
      alone.writeConfig({ arms: { reference: ['l4-only'] }, outDir: 'odd' })
      const name = 'odd/a\u001b[2Jb'
      mkdirSync(alone.path(name), { recursive: true })
      writeFileSync(alone.path(`${name}/journal.jsonl`), read('runs/one/journal.jsonl'))
      const { code, stdout } = await alone.meshbench('claims')
      expect([code, stdout]).toEqual([0, expect.stringContaining('odd/a\\x1b[2Jb')])
    } finally {
      alone.remove()
    }
  })
})

describe('list', () => {
  it('has every format that --format takes', async () => {
    const { stdout } = await workspace.meshbench('list', '--json')
    const listed = (JSON.parse(stdout) as { formats: { name: string }[] }).formats.map(({ name }) => name)
    const { stderr } = await workspace.meshbench('report', 'runs/one', '--format', 'pdf')
    expect(stderr).toContain(`allowed: ${listed.join(', ')}`)
  })
})

describe('index', () => {
  it('lists every run that can be read, with trends, and renders the reports that it links to', async () => {
    mkdirSync(workspace.path('runs/broken'))
    writeFileSync(workspace.path('runs/broken/journal.jsonl'), '{"type":"nonsense"}\n')
    const { code, stdout } = await workspace.meshbench('index', 'runs')
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/! broken is left out: .*line 1[\s\S]*index\.html: 3 runs/),
    ])
    const page = read('runs/index.html')
    for (const name of ['one', 'same', 'other']) {
      expect(page).toContain(`href="${name}/report.html"`)
      expect(read(`runs/${name}/report.html`)).toMatch(/^<!doctype html>/i)
    }
    // Two of the runs are comparable; the third is of another host.
    expect(page.match(/<figure id="trend-/g)).toHaveLength(2)
    expect(page).toContain('over 2 runs')
    expect(page).toContain('These runs come from more than one host')
  })

  it('says what to name when there is no run', async () => {
    const { code, stderr } = await workspace.meshbench('index', 'runs/one')
    expect([code, stderr]).toEqual([2, expect.stringContaining('no run can be read in runs/one')])
  })
})
