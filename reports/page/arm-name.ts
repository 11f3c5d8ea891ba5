/** An arm's name as pages write it. */
import { escapeHtml } from './clean.js'
import type { ArmView } from './view.js'

/** With its colour, for highlighting. */
export function armHtml(arm: ArmView): string {
  return `<span class="arm" data-arm="${arm.key}" style="--c:${arm.colour}">${escapeHtml(arm.label)}</span>`
}
