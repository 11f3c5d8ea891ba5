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
  // What is put together of fields has its words at those.
  const rows = text
    .split('\n')
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/[|`]/g, '').trim()))
  const unsaid = rows.filter(([, type, , purpose]) => purpose === '' && type !== 'object')
  expect(unsaid.map(([field]) => field)).toEqual([])
})
