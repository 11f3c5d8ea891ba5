/**
 * JUnit XML, so that CI systems list thresholds and claims like tests. An arm that was not measured is an error, a
 * threshold that failed a failure; one that could not be decided is skipped, one without data an error unless the gate
 * lets it pass. A claim never fails a build: supported and refuted are both answers.
 */
import type { Analysis, ClaimAnalysis, GatePolicy, ThresholdVerdict } from '../../harness/model.js'
import { thresholdText } from '../../harness/analyze/check.js'
import { fails, gate, metricText, type GateVerdict } from '../../harness/analyze/gate.js'
import { missingOf, standingsOf, type ArmStanding } from '../../harness/analyze/standings.js'
import { cleanDeep, escapeHtml as escapeXml } from '../page/clean.js'
import { sentence } from './format.js'

export function renderJunit(analysis: Analysis): string {
  const { thresholds, claims, runId, startedAt, endedAt } = cleanDeep(analysis)
  const { variants, policy } = cleanDeep(gate(analysis))
  const seconds = Math.max(0, (Date.parse(endedAt) - Date.parse(startedAt)) / 1000 || 0)
  const suites = [
    suite('arms', standingsOf(cleanDeep(analysis)).map(armCase)),
    suite(
      'thresholds',
      thresholds.map((verdict) => thresholdCase(verdict, policy)),
    ),
    suite('variants', variants.map(variantCase)),
    suite('claims', claims.map(claimCase)),
  ]
  const count = (kind: Outcome) => suites.reduce((sum, { counts }) => sum + counts[kind], 0)
  const total = suites.reduce((sum, { size }) => sum + size, 0)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escapeXml(`meshbench ${runId}`)}" tests="${total}" failures="${count('failure')}" skipped="${count('skipped')}" errors="${count('error')}" time="${seconds.toFixed(3)}">`,
    ...suites.map(({ xml }) => xml),
    '</testsuites>',
    '',
  ].join('\n')
}

type Outcome = 'passed' | 'failure' | 'error' | 'skipped'

interface Case {
  readonly name: string
  readonly outcome: Outcome
  readonly message: string
  readonly detail: string
}

const outcomes = {
  pass: 'passed',
  fail: 'failure',
  'no data': 'error',
  inconclusive: 'skipped',
} as const satisfies Record<ThresholdVerdict['state'], Outcome>

function armCase(standing: ArmStanding): Case {
  const { arm, state } = standing
  return {
    name: `${arm} was measured`,
    outcome: state === 'measured' ? 'passed' : 'error',
    message: state,
    detail: missingOf(standing).join('; ') || `${arm} was measured under every load`,
  }
}

function thresholdCase(verdict: ThresholdVerdict, policy: GatePolicy): Case {
  const { threshold, experiment, loadLabel = '', state, expected, actual } = verdict
  // One threshold may be judged at several loads; CI systems tell cases apart by name alone.
  const load = experiment === undefined ? '' : ` (${experiment}, ${loadLabel})`
  const found = actual === undefined ? 'nothing' : sentence(actual)
  return {
    name: `${thresholdText(threshold)}${load}: ${expected}`,
    outcome: state === 'no data' && !fails(verdict, policy) ? 'skipped' : outcomes[state],
    message: `${state}: expected ${expected}, found ${found}`,
    detail: verdict.sentence,
  }
}

/** As `meshbench gate` judges them: worse is a failure, undecided is skipped. */
function variantCase({
  arm,
  control,
  check,
  experiment,
  loadLabel,
  state,
  sentence: detail,
}: GateVerdict): Case {
  const load = experiment === '' ? '' : ` (${experiment}, ${loadLabel})`
  return {
    name: `${metricText(check)} of ${arm} against ${control}${load}`,
    outcome: state === 'worse' ? 'failure' : state === 'inconclusive' ? 'skipped' : 'passed',
    message: state,
    detail,
  }
}

function claimCase(claim: ClaimAnalysis): Case {
  const decided = claim.verdict === 'supported' || claim.verdict === 'refuted'
  return {
    name: `${claim.id} ${claim.claim}`,
    outcome: decided ? 'passed' : 'skipped',
    message: claim.verdict,
    detail: `${claim.verdict}: ${claim.sentence}`,
  }
}

function suite(
  name: string,
  cases: readonly Case[],
): { readonly xml: string; readonly counts: Record<Outcome, number>; readonly size: number } {
  const counts = { passed: 0, failure: 0, error: 0, skipped: 0 }
  for (const { outcome } of cases) counts[outcome]++
  const lines = cases.map(({ name: title, outcome, message, detail }) => {
    const mark =
      outcome === 'passed'
        ? ''
        : outcome === 'failure' || outcome === 'error'
          ? `<${outcome} message="${escapeXml(message)}">${escapeXml(detail)}</${outcome}>`
          : `<skipped message="${escapeXml(message)}"/>`
    return `    <testcase classname="meshbench.${name}" name="${escapeXml(title)}">${mark}<system-out>${escapeXml(detail)}</system-out></testcase>`
  })
  const xml = [
    `  <testsuite name="${name}" tests="${cases.length}" failures="${counts.failure}" skipped="${counts.skipped}" errors="${counts.error}">`,
    ...lines,
    '  </testsuite>',
  ].join('\n')
  return { xml, counts, size: cases.length }
}
