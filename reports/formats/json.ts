/** The analysis as it is, for other programs; its shape is reports/analysis.schema.json. */
import type { Analysis } from '../../harness/model.js'

export function renderJson(analysis: Analysis): string {
  return `${JSON.stringify(analysis, null, 2)}\n`
}
