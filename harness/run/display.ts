/** Shows a person how a run is going: a line that renews itself on a terminal, plain lines elsewhere. */
import { messageOf } from '../model/errors.js'
import type { Plan, Progress } from '../model.js'
import { longestMs } from '../model/plan.js'
import type { RunningMedian } from './running-medians.js'

/** What is shown while rounds go on. */
export interface RoundStatus {
  readonly done: number
  readonly total: number
  readonly round: number
  readonly rounds: number
  readonly arm: string
  readonly ratePerSecond?: number
  readonly p99Us?: number
  readonly leftMs: number
  /** What is known of every arm so far; none before the first trial ends. */
  readonly medians?: readonly RunningMedian[]
  /** Trials of this stay that cannot be believed, and what spoiled most of them; absent: none. */
  readonly invalid?: { readonly count: number; readonly reason: string }
}

export interface Display extends Progress {
  line(text: string): void
  status(status: RoundStatus): void
  /** Takes the status line away, so that what follows stands alone. */
  clear(): void
}

export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

const renewEveryMs = 120

export function createDisplay(output: Output): Display {
  // A dumb terminal takes no line back.
  const renews = output.isTTY && process.env.TERM !== 'dumb'
  return renews ? terminalDisplay(output) : plainDisplay(output)
}

function terminalDisplay(output: Output): Display {
  let shown: readonly string[] = []
  let renewedAt = 0
  const steps: string[] = []
  const takenBack = () =>
    shown.length === 0 ? '' : `${shown.length > 1 ? `\u001b[${shown.length - 1}A` : ''}\r\u001b[0J`
  // Some terminals say 0.
  const widthOf = () => (output.columns === undefined || output.columns < 20 ? 80 : output.columns)
  const show = (...lines: readonly string[]) => {
    // One character less than the width: a full line would wrap and could not be taken back.
    const width = widthOf()
    const before = takenBack()
    // A block higher than the terminal could not be taken back.
    const height = output.rows === undefined || output.rows < 2 ? 24 : output.rows
    shown = lines.slice(-(height - 1)).map((text) => text.slice(0, width - 1))
    output.write(`${before === '' ? '\r\u001b[2K' : before}${shown.join('\n')}`)
  }
  const clear = () => {
    if (shown.length > 0) output.write(takenBack())
    shown = []
    if (steps.length > 0) output.write(`${steps.splice(0).join('   ')}\n`)
  }
  const line = (text: string) => {
    clear()
    output.write(`${text}\n`)
  }
  return {
    line,
    note: line,
    clear,
    async step(title, run, done = () => title) {
      show([...steps, `… ${title}`].join('   '))
      const { value, text } = await timed(title, run, done, line)
      steps.push(text)
      show(steps.join('   '))
      return value
    },
    status(status) {
      if (steps.length > 0) clear()
      const now = performance.now()
      if (now - renewedAt < renewEveryMs) return
      renewedAt = now
      show(...medianLines(status), describeStatus(status, widthOf()))
    },
  }
}

/** For logs: a line per step, and one per round. */
function plainDisplay(output: Output): Display {
  let lastRound = ''
  const line = (text: string) => void output.write(`${text}\n`)
  return {
    line,
    note: line,
    clear: () => {},
    async step(title, run, done = () => title) {
      const { value, text } = await timed(title, run, done, line)
      line(text)
      return value
    },
    status(status) {
      const round = `${status.round}/${status.rounds}`
      if (round === lastRound) return
      lastRound = round
      line(
        `round ${round}, trial ${status.done + 1} of ${status.total}, ${formatDuration(status.leftMs)} left${invalidText(status)}${mediansText(status)}`,
      )
    },
  }
}

/** Runs a step; its text has the time that it took when somebody may have wondered. A failure is told on a line of its own. */
async function timed<T>(
  title: string,
  run: () => Promise<T>,
  done: (value: T) => string,
  line: (text: string) => void,
): Promise<{ readonly value: T; readonly text: string }> {
  const begin = performance.now()
  try {
    const value = await run()
    const tookMs = performance.now() - begin
    return { value, text: `✓ ${done(value)}${tookMs < 5_000 ? '' : ` (${formatDuration(tookMs)})`}` }
  } catch (error) {
    line(`✗ ${title}: ${messageOf(error)}`)
    throw error
  }
}

function describeStatus(status: RoundStatus, columns: number): string {
  // What is left beside the round and the time left.
  const width = Math.max(0, Math.min(20, columns - 40))
  const share = status.total === 0 ? 0 : status.done / status.total
  const filled = Math.round(share * width)
  const bar = `${'█'.repeat(filled)}${'─'.repeat(width - filled)}`
  const rate = status.ratePerSecond === undefined ? '' : `  ${Math.round(status.ratePerSecond)} req/s`
  const p99 = status.p99Us === undefined ? '' : `  p99 ${(status.p99Us / 1000).toFixed(2)} ms`
  // Time left comes before what a narrow terminal may cut off.
  return `round ${status.round}/${status.rounds} ${bar}  ${formatDuration(status.leftMs)} left${invalidText(status)}  ${status.arm}${rate}${p99}`
}

/** `reference/l4-only  p50 0.31 ms (0.28 to 0.34)  6 of 6 valid`, a line an arm. */
function medianLines({ medians = [] }: RoundStatus): string[] {
  const names = Math.max(0, ...medians.map(({ arm }) => arm.length))
  const texts = medians.map((median) =>
    median.medianMs === undefined ? '' : `p50 ${medianText(median, ' ms')}`,
  )
  const widest = Math.max(0, ...texts.map((text) => text.length))
  return medians.map(
    ({ arm, valid, trials }, index) =>
      `${arm.padEnd(names)}  ${(texts[index] ?? '').padEnd(widest)}  ${valid} of ${trials} valid`,
  )
}

function mediansText({ medians = [] }: RoundStatus): string {
  const known = medians.filter(({ medianMs }) => medianMs !== undefined)
  return known.length === 0
    ? ''
    : `; p50 so far, ms: ${known.map((median) => `${median.arm} ${medianText(median)}`).join(', ')}`
}

function medianText({ medianMs = 0, interval }: RunningMedian, unit = ''): string {
  const figure = (ms: number) => ms.toFixed(ms < 10 ? 3 : 1)
  return `${figure(medianMs)}${unit}${interval ? ` (${interval.map(figure).join(' to ')})` : ''}`
}

function invalidText({ invalid }: RoundStatus): string {
  return invalid === undefined ? '' : `, ${invalid.count} invalid (${invalid.reason})`
}

/** `45 s`, `1 min 05 s`, `2 h 10 min`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** How long a plan takes: the same words wherever a run is told of before it is measured. */
export function timeText(plan: Plan): string {
  const { min, max } = plan.config.rounds
  return min < max ? `at most ${formatDuration(longestMs(plan))}` : `about ${formatDuration(plan.estimateMs)}`
}
