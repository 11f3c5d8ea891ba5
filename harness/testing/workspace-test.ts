/** Tests with a folder of their own each, so that several can run side by side. */
import { test as base } from 'vitest'
import { createWorkspace, type Workspace } from './cli.js'

export const test = base.extend<{ workspace: Workspace }>({
  // Vitest reads from the pattern which fixtures this one needs.
  // eslint-disable-next-line no-empty-pattern
  workspace: async ({}, use) => {
    const workspace = createWorkspace()
    await use(workspace)
    workspace.remove()
  },
})
