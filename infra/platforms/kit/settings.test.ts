import { expect, it, vi } from 'vitest'
import { unmetBaseImage } from './settings.js'

it('a base image is missed where none can be assembled, with the setting that names one', async () => {
  vi.stubGlobal('process', { ...process, platform: 'darwin' })
  try {
    for (const platform of ['docker', 'kind']) {
      const [unmet, ...others] = await unmetBaseImage(platform, {})
      expect(unmet?.found).toBe('darwin')
      expect(unmet?.remedy).toContain(`platformSettings.${platform}.baseImage`)
      expect(others).toEqual([])
      expect(await unmetBaseImage(platform, { baseImage: 'node@sha256:1' })).toEqual([])
    }
  } finally {
    vi.unstubAllGlobals()
  }
})
