/** Finds what is secret in a config and in Helm values: journals and reports are shown to others. */

export type ValuePath = readonly (string | number)[]

const names = 'password|passwd|passphrase|token|privatekey|secretkey|apikey|accesskey|clientsecret'
/** As charts and environments name what is secret itself; names of Secrets, and of keys in them, end otherwise. */
const secretName = new RegExp(`(${names})$`, 'i')
/** A private key, or a user's password in a URL. */
const plainSecret = /PRIVATE KEY|\/\/[^/\s:@]*:[^/\s@]+@/i
/** The same, or a line of a file that is a value as a whole. */
const secretText = new RegExp(`${plainSecret.source}|(${names})["']?\\s*[:=]\\s*["']?[^\\s"']`, 'i')

/** Paths of what is secret below Helm values by its name or by itself; a value's own path says what it is called. */
export function secretsIn(value: unknown, path: ValuePath = []): readonly ValuePath[] {
  if (Array.isArray(value))
    return (value as readonly unknown[]).flatMap((item, index) => [
      ...secretsIn(item, [...path, index]),
      ...secretOfPair(item, [...path, index]),
    ])
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, child]) => secretsIn(child, [...path, key]))
  if (!isFilled(value)) return []
  return isNamedSecret(path) || secretText.test(String(value)) ? [path] : []
}

/** Paths of texts that are secret wherever they stand: a private key, or a URL with a password. */
export function secretTextsIn(value: unknown, path: ValuePath = []): readonly ValuePath[] {
  if (typeof value === 'string') return isSecretText(value) ? [path] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => secretTextsIn(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => secretTextsIn(child, [...path, key]))
}

export const isSecretText = (text: string) => plainSecret.test(text)

const isFilled = (value: unknown) =>
  typeof value === 'number' || (typeof value === 'string' && !/^(true|false|)$/i.test(value.trim()))

const isCalledSecret = (name: string) => secretName.test(name.replaceAll(/[-_]/g, ''))

/** `tls.ca.key` is a key; a toleration has one, too, and a reference to a Secret names one. */
function isNamedSecret(path: ValuePath): boolean {
  const [parent, name] = [path.at(-2), path.at(-1)]
  if (typeof name !== 'string') return false
  if (name === 'key') return typeof parent !== 'number' && !/KeyRef$/.test(parent ?? '')
  return isCalledSecret(name)
}

/** A variable of an environment, as containers have them: `{ name, value }`. */
function secretOfPair(item: unknown, path: ValuePath): readonly ValuePath[] {
  const { name, value } = (item ?? {}) as { readonly name?: unknown; readonly value?: unknown }
  return typeof name === 'string' && isCalledSecret(name) && isFilled(value) ? [[...path, 'value']] : []
}
