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
}

/** A histogram with its labels fixed. */
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
}

interface Family<C> {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labelNames: readonly string[]
  readonly children: Map<string, { readonly values: readonly string[]; readonly cell: C }>
  readonly create: () => C
}

/** Finds the child for the values of the labels, in the order in which the labels were named. */
export interface Metric<C> {
  labels(...values: string[]): C
}

/** Values of one registry as plain data, so that the registries of several workers can be added up. */
export interface RegistrySnapshot {
  readonly families: readonly {
    readonly name: string
    readonly help: string
    readonly type: Family<unknown>['type']
    readonly labelNames: readonly string[]
    readonly bounds?: readonly number[]
    readonly children: readonly {
      readonly values: readonly string[]
      readonly value?: number
      readonly counts?: readonly number[]
      readonly sum?: number
    }[]
  }[]
}

export interface Registry {
  counter(name: string, help: string, labelNames?: readonly string[]): Metric<Cell>
  gauge(name: string, help: string, labelNames?: readonly string[]): Metric<Cell>
  /** `bounds` ascend and are in base units (seconds, bytes). */
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): Metric<HistogramCell>
  /** Called before every scrape, for values that are read and not counted. */
  onCollect(collect: () => void): void
  snapshot(): RegistrySnapshot
  render(): string
}

/** Label values that a peer can choose are bounded: beyond this many children a metric counts into `other`. */
const maxChildren = 2000

/** Names that are already registered give the same metric again; another type or other labels throw. */
export function createRegistry(): Registry {
  const families = new Map<string, Family<Cell | HistogramCell>>()
  const collectors: (() => void)[] = []

  function register<C extends Cell | HistogramCell>(
    name: string,
    help: string,
    type: Family<C>['type'],
    labelNames: readonly string[],
    create: () => C,
  ): Metric<C> {
    const known = families.get(name)
    if (known && (known.type !== type || known.labelNames.join() !== labelNames.join())) {
      throw new Error(`metric ${name} is already registered as ${known.type}(${known.labelNames.join()})`)
    }
    const family = (known ?? { name, help, type, labelNames, children: new Map(), create }) as Family<C>
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
      const cell = family.create()
      family.children.set(key, { values, cell })
      return cell
    }
    return { labels: (...values) => child(values) }
  }

  const snapshot = (): RegistrySnapshot => {
    for (const collect of collectors) collect()
    return {
      families: [...families.values()].map((family) => {
        const children = [...family.children.values()]
        const first = children[0]?.cell
        return {
          name: family.name,
          help: family.help,
          type: family.type,
          labelNames: family.labelNames,
          ...(first instanceof HistogramCell ? { bounds: first.bounds } : {}),
          children: children.map(({ values, cell }) =>
            cell instanceof HistogramCell
              ? { values, counts: [...cell.counts], sum: cell.sum }
              : { values, value: cell.value },
          ),
        }
      }),
    }
  }

  return {
    counter: (name, help, labelNames = []) => register(name, help, 'counter', labelNames, () => new Cell()),
    gauge: (name, help, labelNames = []) => register(name, help, 'gauge', labelNames, () => new Cell()),
    histogram: (name, help, labelNames, bounds) =>
      register(name, help, 'histogram', labelNames, () => new HistogramCell(bounds)),
    onCollect: (collect) => {
      collectors.push(collect)
    },
    snapshot,
    render: () => renderSnapshot(snapshot()),
  }
}

/** Adds up the registries of several workers. Gauges are added too: they count things (connections, bytes). */
export function mergeSnapshots(snapshots: readonly RegistrySnapshot[]): RegistrySnapshot {
  type FamilySnapshot = RegistrySnapshot['families'][number]
  const merged = new Map<
    string,
    { family: FamilySnapshot; children: Map<string, FamilySnapshot['children'][number]> }
  >()
  for (const { families } of snapshots) {
    for (const family of families) {
      let entry = merged.get(family.name)
      if (!entry) merged.set(family.name, (entry = { family, children: new Map() }))
      if (family.bounds && !entry.family.bounds) entry.family = family
      for (const child of family.children) {
        const key = child.values.join('\u0000')
        const known = entry.children.get(key)
        entry.children.set(key, known ? addChildren(known, child) : child)
      }
    }
  }
  return {
    families: [...merged.values()].map(({ family, children }) => ({
      ...family,
      children: [...children.values()],
    })),
  }
}

type ChildSnapshot = RegistrySnapshot['families'][number]['children'][number]

function addChildren(a: ChildSnapshot, b: ChildSnapshot): ChildSnapshot {
  if (a.counts && b.counts) {
    const other = b.counts
    return {
      values: a.values,
      counts: a.counts.map((count, i) => count + (other[i] ?? 0)),
      sum: (a.sum ?? 0) + (b.sum ?? 0),
    }
  }
  return { values: a.values, value: (a.value ?? 0) + (b.value ?? 0) }
}

/** Text exposition format 0.0.4. */
export function renderSnapshot(snapshot: RegistrySnapshot): string {
  const lines: string[] = []
  for (const family of snapshot.families) {
    lines.push(`# HELP ${family.name} ${family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
    lines.push(`# TYPE ${family.name} ${family.type}`)
    for (const child of family.children) {
      const pairs = family.labelNames.map((name, i) => `${name}="${escapeLabel(child.values[i] ?? '')}"`)
      if (!child.counts) {
        lines.push(`${family.name}${braces(pairs)} ${formatNumber(child.value ?? 0)}`)
        continue
      }
      let cumulative = 0
      for (const [i, count] of child.counts.entries()) {
        cumulative += count
        const bound = family.bounds?.[i]
        const le = bound === undefined ? '+Inf' : formatNumber(bound)
        lines.push(`${family.name}_bucket${braces([...pairs, `le="${le}"`])} ${cumulative}`)
      }
      lines.push(`${family.name}_sum${braces(pairs)} ${formatNumber(child.sum ?? 0)}`)
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

function formatNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}
