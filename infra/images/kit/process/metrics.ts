/** A small Prometheus registry whose counters cost one addition on the hot path. */

/** A counter or gauge with its labels fixed. Keep it: finding it is dearer than counting. */
export class Cell {
  value = 0
  add(amount = 1): void {
    this.value += amount
  }
  set(value: number): void {
    this.value = value
  }
  numbers(): number[] {
    return [this.value]
  }
}

export class HistogramCell {
  readonly bounds: readonly number[]
  /** One count per bound, and one for what lies above the last. */
  readonly counts: number[]
  sum = 0
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }
  observe(value: number): void {
    const { bounds, counts } = this
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (value <= (bounds[middle] as number)) high = middle
      else low = middle + 1
    }
    counts[low] = (counts[low] as number) + 1
    this.sum += value
  }
  numbers(): number[] {
    return [...this.counts, this.sum]
  }
}

interface FamilyHead {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labelNames: readonly string[]
  /** Of a histogram. */
  readonly bounds?: readonly number[]
}

interface Family<C> extends FamilyHead {
  readonly children: Map<string, { readonly values: readonly string[]; readonly cell: C }>
}

/** Finds the child for the values of the labels, in the order in which the labels were named. */
export interface Metric<C> {
  labels(...values: string[]): C
}

/** Values of one registry as plain data, so that the registries of several workers can be added up. */
export type RegistrySnapshot = readonly FamilySnapshot[]

interface FamilySnapshot extends FamilyHead {
  readonly children: readonly ChildSnapshot[]
}

interface ChildSnapshot {
  readonly values: readonly string[]
  /** The one value; of a histogram the counts, and the sum behind them. */
  readonly numbers: readonly number[]
}

/** Label values that a peer can choose are bounded: beyond this many children a metric counts into `other`. */
const maxChildren = 2000

/** Names that are already registered give the same metric again; another type or other labels throw. */
export function createRegistry() {
  const families = new Map<string, Family<Cell | HistogramCell>>()
  const collectors: (() => void)[] = []

  function register<C extends Cell | HistogramCell>(head: FamilyHead, create: () => C): Metric<C> {
    const { name, type, labelNames } = head
    const known = families.get(name)
    if (known && (known.type !== type || known.labelNames.join() !== labelNames.join())) {
      throw new Error(`metric ${name} is already registered as ${known.type}(${known.labelNames.join()})`)
    }
    const family = (known ?? { ...head, children: new Map() }) as Family<C>
    families.set(name, family)
    const child = (values: string[]): C => {
      if (values.length !== labelNames.length) {
        throw new Error(`metric ${name} has ${labelNames.length} labels, not ${values.length}`)
      }
      const key = values.join('\u0000')
      const found = family.children.get(key)
      if (found) return found.cell
      if (family.children.size >= maxChildren && values.some((value) => value !== 'other')) {
        return child(values.map(() => 'other'))
      }
      const cell = create()
      family.children.set(key, { values, cell })
      return cell
    }
    return { labels: (...values) => child(values) }
  }

  const snapshot = (): RegistrySnapshot => {
    for (const collect of collectors) collect()
    return [...families.values()].map((family) => ({
      ...family,
      children: [...family.children.values()].map(({ values, cell }) => ({
        values,
        numbers: cell.numbers(),
      })),
    }))
  }

  const counter = (name: string, help: string, labelNames: readonly string[] = []): Metric<Cell> =>
    register({ name, help, type: 'counter', labelNames }, () => new Cell())

  return {
    counter,
    /** The cells of a counter with one label: `counters('x_total', 'X.', { result: ['ok', 'failed'] }).ok`. */
    counters<const V extends string>(
      name: string,
      help: string,
      valuesOf: Readonly<Record<string, readonly V[]>>,
    ): Readonly<Record<V, Cell>> {
      const metric = counter(name, help, Object.keys(valuesOf))
      const values = Object.values(valuesOf).flat()
      return Object.fromEntries(values.map((value) => [value, metric.labels(value)])) as Record<V, Cell>
    },
    gauge: (name: string, help: string, labelNames: readonly string[] = []): Metric<Cell> =>
      register({ name, help, type: 'gauge', labelNames }, () => new Cell()),
    /** `bounds` ascend and are in base units (seconds, bytes). */
    histogram: (
      name: string,
      help: string,
      labelNames: readonly string[],
      bounds: readonly number[],
    ): Metric<HistogramCell> =>
      register({ name, help, type: 'histogram', labelNames, bounds }, () => new HistogramCell(bounds)),
    /** Called before every scrape, for values that are read and not counted. */
    onCollect(collect: () => void): void {
      collectors.push(collect)
    },
    snapshot,
    render: () => renderSnapshot(snapshot()),
  }
}

export type Registry = ReturnType<typeof createRegistry>

/** Adds up the registries of several workers. Gauges are added too: they count things (connections, bytes). */
export function mergeSnapshots(snapshots: readonly RegistrySnapshot[]): RegistrySnapshot {
  const merged = new Map<string, { family: FamilySnapshot; children: Map<string, ChildSnapshot> }>()
  for (const family of snapshots.flat()) {
    let entry = merged.get(family.name)
    if (!entry) merged.set(family.name, (entry = { family, children: new Map() }))
    for (const { values, numbers } of family.children) {
      const key = values.join('\u0000')
      const known = entry.children.get(key)?.numbers
      entry.children.set(key, { values, numbers: numbers.map((number, i) => number + (known?.[i] ?? 0)) })
    }
  }
  return [...merged.values()].map(({ family, children }) => ({ ...family, children: [...children.values()] }))
}

/** Text exposition format 0.0.4. */
export function renderSnapshot(snapshot: RegistrySnapshot): string {
  const lines: string[] = []
  for (const family of snapshot) {
    lines.push(`# HELP ${family.name} ${family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
    lines.push(`# TYPE ${family.name} ${family.type}`)
    for (const { values, numbers } of family.children) {
      const pairs = family.labelNames.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`)
      const last = numbers.at(-1) ?? 0
      if (!family.bounds) {
        lines.push(`${family.name}${braces(pairs)} ${last}`)
        continue
      }
      let cumulative = 0
      for (const [i, count] of numbers.slice(0, -1).entries()) {
        cumulative += count
        const le = family.bounds[i] ?? '+Inf'
        lines.push(`${family.name}_bucket${braces([...pairs, `le="${le}"`])} ${cumulative}`)
      }
      lines.push(`${family.name}_sum${braces(pairs)} ${last}`)
      lines.push(`${family.name}_count${braces(pairs)} ${cumulative}`)
    }
  }
  return lines.join('\n') + '\n'
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
