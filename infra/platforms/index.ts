/** Registry of platforms: a new platform is one file and one line here. */
import type { Platform } from '../../harness/model.js'
import { docker } from './docker/docker.js'
import { kind } from './kind/kind.js'
import { kubernetes } from './kubernetes/kubernetes.js'
import { local } from './local/local.js'
import { netns } from './netns/netns.js'

export const platforms = {
  docker,
  kind,
  kubernetes,
  local,
  netns,
} satisfies Record<string, Platform>

export type PlatformName = keyof typeof platforms

/** The platform of configs that name none. */
export const defaultPlatform: PlatformName = 'local'

/** Switches of all platforms that have a flag of the command line: what they do, and where. */
export const platformFlags: readonly { readonly name: string; readonly summary: string }[] =
  Object.values<Platform>(platforms).flatMap((platform) =>
    Object.entries(platform.flags ?? {}).map(([name, text]) => ({
      name,
      summary: `${text} (${platform.name})`,
    })),
  )

/** `allowThis` is `--allow-this`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}
