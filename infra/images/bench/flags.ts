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

/**
 * A number is an amount of 0 or more, `false` a switch, a list its choices with the default first, `undefined` a word that may
 * be left out. Throws for an option that is unknown, an amount that is none, and a word that is not among its choices.
 */
export function readFlags<const Defaults extends Readonly<Record<string, Default>>>(
  defaults: Defaults,
): { readonly [Name in keyof Defaults]: Value<Defaults[Name]> } {
  const kindOf = (value: Default) => ({ type: value === false ? ('boolean' as const) : ('string' as const) })
  const { values } = parseArgs({
    options: Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, kindOf(value)])),
  })
  const read = (name: string, value: Default) => {
    const given = values[name]
    if (given === undefined) return Array.isArray(value) ? (value[0] as string) : value
    if (typeof value === 'number' && !(Number(given) >= 0))
      throw new Error(`--${name}: ${given} is no amount`)
    if (Array.isArray(value) && !value.includes(given))
      throw new Error(`--${name}: ${given} is none of ${value.join(', ')}`)
    return typeof value === 'number' ? Number(given) : given
  }
  const all = Object.entries(defaults).map(([name, value]) => [name, read(name, value)] as const)
  return Object.fromEntries(all) as { [Name in keyof Defaults]: Value<Defaults[Name]> }
}

/** Whether a list of words, separated by commas, leaves a name in; without a list every name is. */
export function isAsked(list: string | undefined, name: string): boolean {
  return list?.split(',').includes(name) ?? true
}
