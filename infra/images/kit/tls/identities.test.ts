import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { createIdentityStore } from './identities.js'
import { createTestAuthority, createWorkspace, spiffe, trustDomain, writeWorkload } from '../testing.js'

const workspace = createWorkspace()
afterAll(() => {
  workspace.remove()
})

it('takes a change anywhere in the files for one: a second authority that comes and goes, an intermediate', async () => {
  const authority = await createTestAuthority()
  const other = await createTestAuthority()
  const server = await writeWorkload(workspace, authority, 'server')
  const store = createIdentityStore({ trustDomain, workloads: [server], baseDir: workspace.dir })
  const reload = () => store.reload([server])
  const append = (file: string) => {
    const text = readFileSync(join(workspace.dir, file), 'utf8')
    workspace.write(file, `${text}\n${other.caPem}`)
    return text
  }
  expect(reload()).toEqual([])
  for (const file of [server.caFile, server.certFile]) {
    const before = append(file)
    expect(reload()).toEqual([spiffe('server')])
    expect(reload()).toEqual([])
    workspace.write(file, before)
    expect(reload()).toEqual([spiffe('server')])
  }
  workspace.write(server.caFile, 'no certificate')
  expect(reload).toThrow('server.ca is not a PEM certificate')
})
