import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { contextVariables } from './context.js'

const idOf = (name: string) => createHash('sha256').update(name).digest('hex')
let home: string

/** As `docker context create` writes it. */
async function createContext(name: string, host: string): Promise<void> {
  const folder = join(home, '.docker/contexts/meta', idOf(name))
  await mkdir(folder, { recursive: true })
  const endpoints = { docker: { Host: host, SkipTLSVerify: false } }
  await writeFile(join(folder, 'meta.json'), JSON.stringify({ Name: name, Endpoints: endpoints }))
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'meshbench-docker-'))
  await createContext('colima', 'unix:///home/a/.colima/default/docker.sock')
  await createContext('build', 'tcp://build:2376')
  await mkdir(join(home, '.docker/contexts/tls', idOf('build'), 'docker'), { recursive: true })
  await writeFile(join(home, '.docker/config.json'), JSON.stringify({ currentContext: 'colima' }))
})
afterAll(() => rm(home, { recursive: true }))

it('is that of the current context', async () => {
  expect(await contextVariables({}, home)).toEqual({
    DOCKER_HOST: 'unix:///home/a/.colima/default/docker.sock',
  })
})

it('is that of DOCKER_CONTEXT before it, with its certificates', async () => {
  expect(await contextVariables({ DOCKER_CONTEXT: 'build' }, home)).toEqual({
    DOCKER_HOST: 'tcp://build:2376',
    DOCKER_CERT_PATH: join(home, '.docker/contexts/tls', idOf('build'), 'docker'),
    DOCKER_TLS_VERIFY: '1',
  })
})

it('is left to DOCKER_HOST, to the default context, and to where there is no config', async () => {
  expect(await contextVariables({ DOCKER_HOST: 'tcp://x:1', DOCKER_CONTEXT: 'build' }, home)).toBeUndefined()
  expect(await contextVariables({ DOCKER_CONTEXT: 'default' }, home)).toBeUndefined()
  expect(await contextVariables({}, '/nonexistent')).toBeUndefined()
})

it('is missed by name, as the docker command does', async () => {
  await expect(contextVariables({ DOCKER_CONTEXT: 'gone' }, home)).rejects.toThrow('gone names no engine')
})
