import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { unifiedCgroup } from '../kit/cgroup.js'
import { tryQuota } from './quota.js'

it('leaves no group behind where the controller cannot be turned on in the one that it has made', async () => {
  const own = await mkdtemp(join(tmpdir(), 'meshbench-quota-'))
  try {
    // A folder cannot be written to, as the file of a controller that is not delegated cannot.
    await mkdir(join(own, `meshbench-try-${process.pid}`, 'cgroup.subtree_control'), { recursive: true })
    const [unmet] = await tryQuota(unifiedCgroup(own))
    expect(unmet?.found).toMatch('EISDIR')
    expect(await readdir(own)).toEqual([])
  } finally {
    await rm(own, { recursive: true })
  }
})
