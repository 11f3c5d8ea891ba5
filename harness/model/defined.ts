/** Optional fields without a condition for each: what is undefined is left out, as exact optional properties ask for. */

/** The fields of an object whose values are defined. Shape: the same keys, all optional, none of them `undefined`. */
export function defined<T extends object>(
  fields: T,
): { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>
} {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
