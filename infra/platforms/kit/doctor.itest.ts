/** What a person reads on a host that has nothing: all of it at once, each thing with what was found and a remedy. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { run } from '../../../harness/process/exec.js'
import { packageRoot } from '../../../harness/process/package-root.js'

const empty = mkdtempSync(join(tmpdir(), 'meshbench-bare-'))
afterAll(() => rmSync(empty, { recursive: true, force: true }))

it('doctor on a bare host lists everything that kind and Istio need, each with a remedy', async () => {
  const unreachable = 'http://127.0.0.1:9'
  const env = [
    `HOME=${empty}`,
    `PATH=${empty}`,
    'DOCKER_HOST=unix:///nonexistent',
    `MESHBENCH_CACHE=${join(empty, 'cache')}`,
    // No registry, whatever network the test's host has.
    'NODE_USE_ENV_PROXY=1',
    `HTTPS_PROXY=${unreachable}`,
    `HTTP_PROXY=${unreachable}`,
  ]
  const tsx = pathToFileURL(join(packageRoot, 'node_modules/tsx/dist/loader.mjs')).href
  const doctor = [
    process.execPath,
    '--import',
    tsx,
    join(packageRoot, 'harness/cli.ts'),
    'doctor',
    '--platform',
    'kind',
    '--mesh',
    'istio-ambient',
  ]
  const { code, stdout, stderr } = await run(['env', '-i', ...env, ...doctor], {
    cwd: packageRoot,
    allowFailure: true,
  })
  expect(code, stderr).toBe(3)
  const items = stdout.split(/^ {2}✗ /m).slice(1)
  expect(stdout).toContain(`this host lacks ${items.length} things`)
  for (const item of items) expect(item).toMatch(/^\S.*\n {6}found: \S.*\n {6}→ \S.*\n?$/)
  const needs = items.map((item) => item.split('\n')[0])
  const once = (need: string) =>
    expect(
      needs.filter((each) => each?.startsWith(need)),
      need,
    ).toHaveLength(1)
  for (const need of ['a Docker engine', 'the docker command', 'a base image']) once(need)
  // A node that knows no proxy settings may reach the registries: then nothing of them is missing.
  if (!stdout.includes('cannot be reached')) return
  for (const need of ['kind 0', 'kubectl 1', 'helm 3', 'the image of the nodes']) once(need)
  expect(needs.filter((each) => each?.startsWith('istio-ambient: '))).toEqual([
    expect.stringMatching(/manifest gateway-api/),
    expect.stringMatching(/charts base .*, istiod .*, cni .*, ztunnel /),
    expect.stringMatching(/images pilot .*, proxyv2 .*, install-cni .*, ztunnel /),
  ])
  // The command that it names brings Istio, too.
  expect(stdout.match(/`meshbench pull --platform kind --mesh istio-ambient`/g)?.length).toBe(7)
}, 60_000)
