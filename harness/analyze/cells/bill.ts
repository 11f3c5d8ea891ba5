/** The bill of a cell: what each component cost, and what nobody accounts for. */
import { mib, pageMib, per1000, perGib } from '../../../scenarios/metrics.js'
import { defined } from '../../model/defined.js'
import type {
  BillRow,
  Cell,
  Component,
  ComponentUsage,
  Estimate,
  Path,
  Trial,
  TrialBill,
} from '../../model.js'
import { billOf, grouping, type Run } from '../readings.js'

/** `stepIn`: the finest step that the value of a trial can take. */
export type MakeEstimate = (
  unit: Estimate['unit'],
  value: (trial: Trial) => number | undefined,
  stepIn: (trial: Trial) => number | undefined,
  positive?: boolean,
) => Estimate

interface Billed {
  readonly run: Run
  readonly cell: Cell
  readonly path: Path | undefined
  readonly valid: readonly Trial[]
  readonly estimate: MakeEstimate
}

/**
 * One row for each component on the arm's path, in the order of its hops; then the generator, the harness, and what
 * nobody accounts for. Every row is a robust estimate of its own, so that their sum need not be the host's total to
 * the digit: `billGapShare` says by how much it is not.
 */
export function billRows(run: Run, cell: Cell, valid: readonly Trial[], estimate: MakeEstimate): BillRow[] {
  if (!valid.some(({ usage }) => usage)) return []
  const arm = run.armOf.get(cell.arm)
  const path = run.plan.paths.find(({ name }) => name === arm?.path)
  const billed = { run, cell, path, valid, estimate }
  return [
    ...componentsOf(billed).map(({ usage, component }) => componentRow(billed, usage, component)),
    rest(billed, 'meshbench', 'orchestrator', 'orchestratorNs'),
    rest(billed, 'idle hops of other arms', 'orchestrator', 'bystandersNs'),
    rest(billed, 'unaccounted', 'unaccounted', 'unaccountedNs'),
  ]
}

interface BilledComponent {
  /** Its last reading: where it comes from, and under which category. */
  readonly usage: ComponentUsage
  readonly component: Component | undefined
}

/** Components that this cell pays for, in the order of categories and hops. */
function componentsOf({ run, cell, path, valid }: Billed): readonly BilledComponent[] {
  const componentOf = new Map(run.components.map((component) => [component.name, component]))
  const groupOf = grouping(run.components, cell)
  const found = new Map<string, BilledComponent>()
  for (const trial of valid)
    for (const usage of trial.usage?.components ?? []) {
      const component = componentOf.get(usage.component)
      if (groupOf(component, usage.category) !== 'bystanders')
        found.set(usage.component, { usage, component })
    }
  const place = ({ component }: BilledComponent) =>
    path?.hops.findIndex(({ name }) => name === component?.hop) ?? -1
  const rank = ({ usage }: BilledComponent) => categories.indexOf(usage.category)
  return [...found.values()].sort((a, b) => rank(a) - rank(b) || place(a) - place(b))
}

function usageIn({ usage }: Trial, component: string): ComponentUsage | undefined {
  return usage?.components.find((other) => other.component === component)
}

function componentRow(billed: Billed, usage: ComponentUsage, component: Component | undefined): BillRow {
  const { path, valid, estimate } = billed
  const name = usage.component
  const hop = path?.hops.find((other) => other.name === component?.hop)
  const total = (key: 'cpuUserNs' | 'cpuSystemNs') =>
    valid.reduce((sum, trial) => sum + (usageIn(trial, name)?.[key] ?? 0), 0)
  const [user, system] = [total('cpuUserNs'), total('cpuSystemNs')]
  const perThousand = (part: 'cpuNs' | 'resolutionNs') => (trial: Trial) =>
    per1000({ trial }, usageIn(trial, name)?.[part])
  return {
    component: name,
    category: usage.category,
    ...(hop ? { layer: hop.layer, hop: hop.name } : {}),
    cpu: estimate('ms', perThousand('cpuNs'), perThousand('resolutionNs')),
    ...(user + system > 0 ? { cpuUserShare: user / (user + system) } : {}),
    ...resourcesOf(billed, name),
    source: usage.source,
    resolutionNs: usage.resolutionNs,
  }
}

/** Memory, switches and system calls, as far as the component's source tells. */
function resourcesOf({ cell, estimate }: Billed, name: string) {
  const of = (
    unit: Estimate['unit'],
    value: (usage: ComponentUsage, trial: Trial) => number | undefined,
    stepIn: (usage: ComponentUsage, trial: Trial) => number | undefined,
  ): Estimate | undefined => {
    const read = (what: typeof value) => (trial: Trial) => {
      const usage = usageIn(trial, name)
      return usage && what(usage, trial)
    }
    const made = estimate(unit, read(value), read(stepIn))
    return made.n > 0 ? made : undefined
  }
  const perSent = (counted: number | undefined, { load }: Trial) =>
    counted === undefined ? undefined : (counted * 1000) / Math.max(1, load?.sent ?? 0)
  const per1000Of = (count: (usage: ComponentUsage) => number | undefined) =>
    of(
      'count',
      (usage, trial) => perSent(count(usage), trial),
      (_usage, trial) => perSent(1, trial),
    )
  const memoryOf = (key: 'rssBytes' | 'pssBytes' | 'peakRssBytes') =>
    of(
      'MiB',
      ({ [key]: bytes }) => (bytes === undefined ? undefined : bytes / mib),
      () => pageMib,
    )
  return defined({
    memory: memoryOf('rssBytes'),
    memoryPss: memoryOf('pssBytes'),
    memoryPeak: memoryOf('peakRssBytes'),
    contextSwitches: per1000Of(({ voluntarySwitches, involuntarySwitches = 0 }) =>
      voluntarySwitches === undefined ? undefined : voluntarySwitches + involuntarySwitches,
    ),
    readSyscalls: per1000Of(({ readSyscalls }) => readSyscalls),
    writeSyscalls: per1000Of(({ writeSyscalls }) => writeSyscalls),
    cpuPerGib:
      cell.load.engine === 'stream'
        ? of(
            's',
            ({ cpuNs }, trial) => perGib({ trial }, cpuNs),
            ({ resolutionNs }, trial) => perGib({ trial }, resolutionNs),
          )
        : undefined,
  })
}

/** A row that no component stands for. */
function rest(
  { run, estimate }: Billed,
  component: string,
  category: BillRow['category'],
  part: 'orchestratorNs' | 'bystandersNs' | 'unaccountedNs',
): BillRow {
  const read = (what: (bill: TrialBill) => number) => (trial: Trial) => {
    const bill = billOf(run, trial)
    return per1000({ trial }, bill && what(bill))
  }
  const cpu = estimate(
    'ms',
    read((bill) => bill[part]),
    read(stepsOf[part]),
    part !== 'unaccountedNs',
  )
  return { component, category, cpu }
}

/** Of Meshbench itself Node tells microseconds, as `getrusage(2)` has them. */
const stepsOf = {
  orchestratorNs: () => 1000,
  bystandersNs: ({ bystandersStepNs }: TrialBill) => bystandersStepNs,
  unaccountedNs: ({ unaccountedStepNs }: TrialBill) => unaccountedStepNs,
}

const categories: readonly BillRow['category'][] = [
  'application',
  'l4',
  'l7',
  'called-service',
  'control-plane',
  'generator',
  'platform',
]
