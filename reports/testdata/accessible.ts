/** Opens pages of this project in a real browser and asks axe what is wrong with them. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeRule {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

interface AxeResult {
  readonly violations: readonly AxeRule[]
  /** What axe could not decide. */
  readonly incomplete: readonly AxeRule[]
}

/**
 * What axe finds wrong or cannot decide, a line a rule. Text in drawings is left out of the latter: axe does not know what
 * a shape lies upon. The page must have been opened with `bypassCSP`, which is how axe gets in.
 */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.addScriptTag({ content: axeSource })
  const whole: AxeResult = await page.evaluate('axe.run(document)')
  // Of cells that are scrolled out of sight in a wide table axe cannot tell the contrast: those are looked at on a wide screen.
  const contrast = (where: string): Promise<AxeResult> =>
    page.evaluate(`axe.run(${where}, { runOnly: ['color-contrast'] })`)
  const around = await contrast("{ exclude: [['.scroll']] }")
  const size = page.viewportSize()
  await page.setViewportSize({ width: 2400, height: 1200 })
  const tables = await contrast("{ include: [['.scroll']] }")
  if (size !== null) await page.setViewportSize(size)
  const undecided = [
    ...whole.incomplete.filter(({ id }) => id !== 'color-contrast'),
    ...around.incomplete,
    ...tables.incomplete,
  ]
    .map((rule) => ({ ...rule, nodes: rule.nodes.filter(({ html }) => !/^<(text|tspan)\b/.test(html)) }))
    .filter(({ nodes }) => nodes.length > 0)
  return [...whole.violations, ...tables.violations, ...undecided].map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .slice(0, 3)
        .map((node) => node.html + node.failureSummary)
        .join(' | ')}`,
  )
}
