import { expect, it } from 'vitest'
import { filters } from '../../images/proxy/filters/index.js'
import { filterNames } from './settings.js'

it('names every function of the proxy, in the order of its chain', () => {
  expect(filterNames).toEqual(Object.keys(filters))
})
