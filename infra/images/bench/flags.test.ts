import { afterEach, expect, test, vi } from 'vitest'
import { parseFlags } from './flags.js'

const given = (...args: string[]) =>
  vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'bench', ...args])
afterEach(() => vi.restoreAllMocks())

const defaults = { rounds: 10, only: undefined, profile: ['quick', 'full'], json: false } as const

test('what is not given is the default; words become numbers and switches', () => {
  given()
  expect(parseFlags(defaults)).toEqual({ rounds: 10, only: undefined, profile: 'quick', json: false })
  given('--rounds', '3', '--only', 'h2', '--profile', 'full', '--json')
  expect(parseFlags(defaults)).toEqual({ rounds: 3, only: 'h2', profile: 'full', json: true })
})

test.each([
  [['--nope'], /^Unknown option '--nope'/],
  [['--rounds', 'x'], /^--rounds: x is no amount/],
  [['--rounds=-1'], /^--rounds: -1 is no amount/],
  [['--profile', 'slow'], /^--profile: slow is none of quick, full/],
])('%s is refused with the options that there are', (args, problem) => {
  given(...args)
  expect(() => parseFlags(defaults)).toThrow(problem)
  expect(() => parseFlags(defaults)).toThrow(
    /\noptions: \[--rounds 10\] \[--only <…>\] \[--profile quick\|full\] \[--json\]$/,
  )
})
