/** Options of the benches' command lines: one object of defaults says their names, their kinds and what they are without. */
import { parseArgs } from 'node:util'

type Default = number | string | false | undefined | readonly string[]

type Value<Given extends Default> = Given extends readonly (infer Choice)[]
  ? Choice
  : Given extends number
    ? number
    : Given extends false
      ? boolean
      : Given extends string
        ? string
        : string | undefined

type Values<Defaults extends Readonly<Record<string, Default>>> = {
  readonly [Name in keyof Defaults]: Value<Defaults[Name]>
}

/**
 * A number is an amount of 0 or more, `false` a switch, a list its choices with the default first, `undefined` a word that may
 * be left out. Throws for an option that is unknown, an amount that is none, and a word that is not among its choices, with
 * the options that there are.
 */
export function parseFlags<const Defaults extends Readonly<Record<string, Default>>>(
  defaults: Defaults,
): Values<Defaults> {
  try {
    const kindOf = (value: Default) => ({
      type: value === false ? ('boolean' as const) : ('string' as const),
    })
    const { values } = parseArgs({
      options: Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, kindOf(value)])),
    })
    const all = Object.entries(defaults).map(([name, value]) => [name, read(name, value, values[name])])
    return Object.fromEntries(all) as Values<Defaults>
  } catch (error) {
    const options = Object.entries(defaults).map(([name, value]) => describe(name, value))
    throw new Error(`${(error as Error).message}\noptions: ${options.join(' ')}`, { cause: error })
  }
}

/** The same for a program that ends there, with exit code 2, where they cannot be read. */
export function readFlags<const Defaults extends Readonly<Record<string, Default>>>(
  defaults: Defaults,
): Values<Defaults> {
  try {
    return parseFlags(defaults)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

function read(name: string, value: Default, given: string | boolean | undefined) {
  if (given === undefined) return Array.isArray(value) ? (value[0] as string) : value
  if (typeof value === 'number' && !(Number(given) >= 0)) throw new Error(`--${name}: ${given} is no amount`)
  if (Array.isArray(value) && !value.includes(given))
    throw new Error(`--${name}: ${given} is none of ${value.join(', ')}`)
  return typeof value === 'number' ? Number(given) : given
}

/** `[--rounds 10]`, `[--profile quick|full]`, `[--only <…>]`, `[--json]`. */
function describe(name: string, value: Default): string {
  if (value === false) return `[--${name}]`
  return `[--${name} ${Array.isArray(value) ? value.join('|') : String(value ?? '') || '<…>'}]`
}

/** Whether a list of words, separated by commas, leaves a name in; without a list every name is. */
export function isAsked(list: string | undefined, name: string): boolean {
  return list?.split(',').includes(name) ?? true
}
