/** Whole runs on the fake platform, in milliseconds. */
import { catalogue } from '../../cli/catalogue.js'
import { resolveConfig } from '../../config/resolve-config.js'
import { createDisplay } from '../display.js'
import type { JournalEntry, Plan, RunHeader, Trial } from '../../model.js'
import { makePlan } from '../../plan/plan.js'
import { RunJournal } from '../journal.js'
import { executePlan, type RunOptions } from '../run.js'
import { createFake, type FakeScript } from '../../testing/fake-platform.js'

export const plan = makePlan(
  resolveConfig({
    arms: { reference: ['l4-only', 'l7-sidecar-to-sidecar', 'l4-l7-l4'] },
    experiments: { latency: {} },
    rounds: { min: 4, max: 4 },
  }),
  catalogue,
)

export async function runFake(
  script: FakeScript = {},
  { held = [], ...options }: Partial<RunOptions> & { held?: readonly JournalEntry[] } = {},
) {
  const fake = createFake(script)
  const written: JournalEntry[] = []
  const outcome = await executePlan({
    plan,
    runId: 'fake',
    platform: fake.platform,
    meshes: fake.meshes,
    journal: new RunJournal((entry) => void written.push(entry), held),
    display: createDisplay({ write: () => true }),
    signal: new AbortController().signal,
    precisionReached: () => false,
    ...options,
  })
  const trials = written.filter((entry): entry is Trial => entry.type === 'trial')
  return { outcome, written, trials, fake }
}

export const armOf = (trial: Trial, from: Plan = plan) => from.cells.find(({ id }) => id === trial.cell)?.arm

/** What begins the journal of a run of this plan. */
export const headerOf = (plan: Plan) =>
  ({
    type: 'run',
    schema: 1,
    runId: 'fake',
    version: '0',
    startedAt: new Date(0).toISOString(),
    command: [],
    plan,
    host: {},
  }) as unknown as RunHeader
