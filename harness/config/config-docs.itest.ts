/** The config's reference says what the schemas say. `vitest -u` writes it again. */
import { format } from 'prettier'
import { expect, test } from 'vitest'
import { configDocs } from '../testing/config-docs.js'

test('harness/config/README.md names every field, its bounds, its default and its purpose', async () => {
  const text = await format(await configDocs(), {
    parser: 'markdown',
    printWidth: 110,
    proseWrap: 'preserve',
  })
  await expect(text).toMatchFileSnapshot('./README.md')
})
