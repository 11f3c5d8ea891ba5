/** A summary for places that show Markdown: a pull request, a CI job's summary. */
import { missingOf, unmeasured } from '../../harness/analyze/standings.js'
import { visibleFloor } from '../../harness/analyze/visible.js'
import type { Analysis, Estimate } from '../../harness/model.js'
import { fleetText, pricedArms } from '../charts/resources/fleet.js'
import { cleanDeep } from '../page/clean.js'
import { dateTime, fixed, plural, sentence } from './format.js'
import { pricedFunctions } from '../page/sections/functions.js'
import { transportRows } from '../page/sections/transport.js'
import { createView, failedRequests, isPartial, summaryOf, withNext, type View } from '../page/view.js'
import { detailsOf, tableOf, thresholdRow } from './verdict-rows.js'

/** Renders GitHub-flavoured Markdown; journal text is escaped so that it can form no link, image or HTML. */
export function renderMarkdown(analysis: Analysis): string {
  const view = createView(cleanDeep(analysis))
  const clean = view.analysis
  const lines: string[] = [
    `## Meshbench ${escapeMarkdown(clean.version)}: ${escapeMarkdown(clean.config.platform)}`,
    '',
  ]
  if (isPartial(clean)) {
    lines.push(
      `**Partial run** (${clean.outcome}): ${clean.rounds.done} of ${clean.rounds.planned} rounds.`,
      '',
    )
  }
  if (clean.noise.some(({ differs }) => differs)) {
    lines.push('**The baseline differs from its twin:** this run is less certain than its intervals say.', '')
  }
  lines.push(
    ...thresholdLines(clean),
    ...summary(view),
    ...functionPrices(view),
    ...fleetCosts(view),
    ...transport(view),
    ...claimLines(clean),
    ...validity(clean),
  )
  lines.push(
    `Run ${escapeMarkdown(clean.runId)}, ${dateTime(clean.startedAt)}, ${escapeMarkdown(clean.host.cpuModel)}, ` +
      `${plural(clean.host.cpus, 'CPU')}, kernel ${escapeMarkdown(clean.host.kernel)}. Absolute figures belong to this host.`,
  )
  return `${lines.join('\n')}\n`
}

function thresholdLines(analysis: Analysis): string[] {
  if (analysis.thresholds.length === 0) return []
  const rows = analysis.thresholds.map(thresholdRow)
  const details = detailsOf(rows).map((detail) => `- ${escapeMarkdown(detail)}`)
  // The verdict, which comes first in each row, stands out.
  const table = markdownTable(tableOf(rows)).map((line) =>
    line.replace(/^\| (pass|fail|no data|inconclusive) \|/, '| **$1** |'),
  )
  return [...table, '', ...(details.length === 0 ? [] : [...details, ''])]
}

function summary(view: View): string[] {
  if (view.lead === undefined) return ['**No trial is valid:** nothing was measured.', '']
  const visible = visibleFloor(view.analysis)
  const failed = failedRequests(view).map((text) => `- ${escapeMarkdown(text)}`)
  // A function's price is what it adds to its own arm, in a table of its own.
  const priced = new Set(pricedFunctions(view).map(({ arm }) => arm.id))
  const arms = view.arms.filter((arm) => arm.arm.role !== 'baseline' && !priced.has(arm.id))
  return [
    `At ${view.lead.text}, ${plural(view.rounds, 'round')}; differences to the baseline with 95 % intervals:`,
    '',
    ...table(
      [
        'arm',
        'added p50, ms',
        'added p99, ms',
        'added CPU, ms per 1 000 requests',
        'memory of the hops, MiB',
      ],
      arms.map((arm) => [
        escapeMarkdown(arm.label),
        ...summaryOf(arm, view).map(({ estimate, sign }) => figure(estimate, sign)),
      ]),
    ),
    '',
    ...(failed.length === 0 ? [] : [...failed, '']),
    ...(visible === undefined ? [] : [`Smallest difference that this run could have seen: ${visible}.`, '']),
  ]
}

function functionPrices(view: View): string[] {
  const priced = pricedFunctions(view)
  if (priced.length === 0) return []
  return [
    'What each function adds to the same arm without it, the dearest first; 95 % intervals:',
    '',
    ...table(
      ['function', 'on top of', 'added CPU, ms per 1 000 requests', 'added p50, ms'],
      priced.map(({ variant, control, cpu, time }) => [
        ...[variant.source, control.label].map(escapeMarkdown),
        ...[cpu, time].map((found) => figure(found?.difference, true)),
      ]),
    ),
    '',
  ]
}

function fleetCosts(view: View): string[] {
  const { fleet, currency } = view.analysis.config.cost
  const priced = pricedArms(view)
  if (fleet === undefined || priced.length === 0) return []
  return [
    `What each path would add at ${fleetText(fleet)}; 95 % intervals:`,
    '',
    ...table(
      [
        'arm',
        'cores',
        'memory, MiB',
        `${escapeMarkdown(currency)} a month`,
        'times the least that does the same',
      ],
      priced.map(({ arm, bill, cost }) => [
        escapeMarkdown(arm.label),
        ...[bill.cores, bill.memory, cost, bill.versus?.ratio].map((estimate) => figure(estimate, false)),
      ]),
    ),
    '',
  ]
}

function transport(view: View): string[] {
  return transportRows(view, figure).flatMap(({ title, columns, rows }) => [
    `${escapeMarkdown(title)}; 95 % intervals:`,
    '',
    ...table(
      columns,
      rows.map(([arm = '', ...figures]) => [escapeMarkdown(arm), ...figures]),
    ),
    '',
  ])
}

const figure = (estimate: Estimate | undefined, sign: boolean) =>
  estimate ? sentence(estimate, { sign, bare: true }) : '–'

function claimLines(analysis: Analysis): string[] {
  const known = analysis.claims.filter((claim) => claim.verdict !== 'no data')
  if (known.length === 0) return []
  return [
    ...known.map(
      (claim) =>
        `- **${claim.id} ${claim.verdict}:** *${escapeMarkdown(claim.claim)}* ${escapeMarkdown(withNext(claim))}`,
    ),
    '',
  ]
}

function validity(analysis: Analysis): string[] {
  const bad = analysis.trials.filter((trial) => trial.state !== 'ok').length
  return [
    `${fixed(analysis.trials.length - bad, 0)} of ${plural(analysis.trials.length, 'trial')} valid.`,
    ...unmeasured(analysis).flatMap((arm) => missingOf(arm).map((text) => `- ${escapeMarkdown(text)}`)),
    '',
  ]
}

/** Cells as they are: escaped, or made here. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}

/** Rows of plain text, the first of them the heading. */
export function markdownTable([header = [], ...rows]: readonly (readonly string[])[]): string[] {
  const escaped = (cells: readonly string[]) => cells.map(escapeMarkdown)
  return table(escaped(header), rows.map(escaped))
}

/** Backslash-escapes everything that Markdown could read, and keeps text on one line. */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/[\\`*_[\]()#|!~>@]/g, (character) => `\\${character}`)
    .replace(/\s*\n\s*/g, ' ')
}
