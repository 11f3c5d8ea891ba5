import { expect, it } from 'vitest'
import { CommandError } from '../../harness/model/errors.js'
import { saveArchive } from './save-images.js'

const wanted = { engine: 'docker', file: '/a.tar', references: ['x:1', 'y:2'], platform: 'linux/amd64' }

/** Runs nothing; the first command fails with this. */
async function saveWith(tail?: string): Promise<readonly string[]> {
  const commands: string[] = []
  await saveArchive(wanted, async (argv) => {
    commands.push(argv.join(' '))
    if (tail !== undefined && commands.length === 1)
      throw new CommandError(argv, { code: 125, signal: null, tail })
  })
  return commands
}

it('saves the images of one platform, whose contents are there', async () => {
  expect(await saveWith()).toEqual(['docker save --platform linux/amd64 --output /a.tar x:1 y:2'])
})

it.each([
  'unknown flag: --platform\nSee "docker save --help".',
  '"--platform" requires API version 1.48, but the Docker daemon API version is 1.43',
])('saves all that there is where no platform can be named: %s', async (tail) => {
  expect((await saveWith(tail)).at(-1)).toBe('docker save --output /a.tar x:1 y:2')
})

it('hides no other failure', async () => {
  await expect(saveWith('no space left on device')).rejects.toMatchObject({ tail: 'no space left on device' })
})
