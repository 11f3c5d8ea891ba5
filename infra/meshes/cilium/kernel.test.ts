import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { checkCilium } from './cilium.js'
import { checkKernelVersion, checkWireguard, type KernelSource } from './kernel.js'

const config = (line: string) => gzipSync(`CONFIG_NET=y\n${line}\nCONFIG_VXLAN=y\n`)

/** A host with these files, whose `ip link add` ends as told. */
function kernel(
  files: Record<string, Buffer | string>,
  link: { code: number; stderr: string },
): KernelSource & {
  commands: string[]
} {
  const commands: string[] = []
  return {
    platform: 'linux',
    release: '6.18.0-test',
    read: async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
    run: async (argv) => {
      commands.push(argv.join(' '))
      return link
    },
    commands,
  }
}
const works = { code: 0, stderr: '' }
const unsupported = { code: 2, stderr: 'Error: Unknown device type.\n' }
const noRoot = { code: 2, stderr: 'RTNETLINK answers: Operation not permitted\n' }

describe('WireGuard', () => {
  test.each<[string, KernelSource, RegExp | undefined]>([
    ['built in', kernel({ '/proc/config.gz': config('CONFIG_WIREGUARD=y') }, unsupported), undefined],
    [
      'left out',
      kernel({ '/proc/config.gz': config('# CONFIG_WIREGUARD is not set') }, unsupported),
      /built without CONFIG_WIREGUARD/,
    ],
    [
      'left out, and nobody may ask',
      kernel({ '/proc/config.gz': config('# CONFIG_WIREGUARD is not set') }, noRoot),
      /built without CONFIG_WIREGUARD/,
    ],
    [
      'left out, but there is a module from elsewhere',
      kernel({ '/proc/config.gz': config('# CONFIG_WIREGUARD is not set') }, works),
      undefined,
    ],
    [
      'a module that is installed',
      kernel(
        {
          '/boot/config-6.18.0-test': 'CONFIG_WIREGUARD=m\n',
          '/lib/modules/6.18.0-test/modules.dep':
            'kernel/drivers/net/wireguard/wireguard.ko.zst: kernel/x.ko\n',
        },
        unsupported,
      ),
      undefined,
    ],
    [
      'a module that is loaded',
      kernel(
        {
          '/proc/config.gz': config('CONFIG_WIREGUARD=m'),
          '/proc/modules': 'wireguard 94208 0 - Live 0x0\n',
        },
        unsupported,
      ),
      undefined,
    ],
    [
      'a module that is not installed, as in small virtual machines',
      kernel({ '/proc/config.gz': config('CONFIG_WIREGUARD=m') }, works),
      /no module for 6\.18\.0-test in \/lib\/modules/,
    ],
    [
      'no config, and the kernel says no',
      kernel({}, unsupported),
      /makes no WireGuard interface: Error: Unknown/,
    ],
    ['no config, and the kernel says yes', kernel({}, works), undefined],
    ['no config and no root: only a run can tell', kernel({}, noRoot), undefined],
    [
      'a desktop, whose containers have another kernel',
      { ...kernel({}, unsupported), platform: 'darwin' },
      undefined,
    ],
  ])('%s', async (_, source, found) => {
    const unmet = await checkWireguard(source)
    if (found === undefined) expect(unmet).toEqual([])
    else {
      expect(unmet[0]?.found).toMatch(found)
      expect(unmet[0]?.remedy).toMatch(/--mesh cilium/)
    }
  })

  test('an interface that is made for the question goes with its namespace, whenever the question ends', async () => {
    const source = kernel({}, works)
    await checkWireguard(source)
    expect(source.commands).toEqual(['unshare --net ip link add probe type wireguard'])
  })
})

test.each([
  ['5.4.0-200-generic', 1],
  ['5.10.0', 0],
  ['6.18.5', 0],
  ['4.19.1', 1],
])('kernel %s', (release, problems) => {
  expect(checkKernelVersion({ ...kernel({}, works), release })).toHaveLength(problems)
})

test('a mode is refused before anything is created, and only the mode that needs it', async () => {
  const source = kernel({ '/proc/config.gz': config('# CONFIG_WIREGUARD is not set') }, unsupported)
  expect(await checkCilium(true, source)).toHaveLength(1)
  expect(await checkCilium(false, source)).toEqual([])
})
