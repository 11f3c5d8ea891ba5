/** Registry of platforms: a new platform is one file and one line here. */
import type { Platform } from '../../harness/model.js'
import { docker } from './docker/docker.js'
import { kind } from './kind/kind.js'
import { kubernetes } from './kubernetes/kubernetes.js'
import { local } from './local/local.js'

export const platforms = {
  docker,
  kind,
  kubernetes,
  local,
} satisfies Record<string, Platform>

export type PlatformName = keyof typeof platforms
