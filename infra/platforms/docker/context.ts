/** Reads which engine the `docker` command would use, so that the API and the command speak with the same one. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../../harness/model/errors.js'

type Environment = Readonly<Record<string, string | undefined>>

interface ContextFile {
  readonly Endpoints?: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean } }
}

/**
 * The engine of the context that is in force, as the variables that name it: `DOCKER_HOST`, and where it has certificates
 * those of TLS. Undefined where `DOCKER_HOST` is set, which comes before all contexts, and in the default context.
 *
 * Files: https://docs.docker.com/engine/manage-resources/contexts/. Throws `UserError` when the context is not there.
 */
export async function contextVariables(
  env: Environment,
  home: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  if (env.DOCKER_HOST) return undefined
  const folder = env.DOCKER_CONFIG || join(home, '.docker')
  const name = env.DOCKER_CONTEXT || (await currentContext(folder))
  if (!name || name === 'default') return undefined
  const id = createHash('sha256').update(name).digest('hex')
  const meta = await readJson<ContextFile>(join(folder, 'contexts/meta', id, 'meta.json'))
  const { Host: host, SkipTLSVerify: unverified } = meta?.Endpoints?.docker ?? {}
  if (!host) {
    throw new UserError(`the Docker context ${name} names no engine`, {
      hint: '`docker context ls` lists those that do; `docker context use` chooses one',
    })
  }
  const certificates = join(folder, 'contexts/tls', id, 'docker')
  if (!existsSync(certificates)) return { DOCKER_HOST: host }
  return {
    DOCKER_HOST: host,
    DOCKER_CERT_PATH: certificates,
    ...(unverified ? {} : { DOCKER_TLS_VERIFY: '1' }),
  }
}

async function currentContext(folder: string): Promise<string | undefined> {
  const config = await readJson<{ readonly currentContext?: string }>(join(folder, 'config.json'))
  return config?.currentContext
}

/** Undefined where there is no such file, or nothing that can be read. */
async function readJson<Type>(file: string): Promise<Type | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Type
  } catch {
    return undefined
  }
}
