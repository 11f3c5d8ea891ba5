/** An authorizer as proxies ask one over HTTP: by a field of the request it lets pass, or denies. */
import type { Decide } from './http1.js'

/** Undenied is 200, denied 403. The name is in lower case; a value has to be the same to the byte. */
export function authorizer({ header, value }: { header: string; value: string }): Decide {
  const allowed = { status: 200, body: '' }
  const denied = { status: 403, body: 'denied\n' }
  return (head) => (valueOf(head.fields(), header) === value ? allowed : denied)
}

/** Of the first field of this name, among flat pairs. */
function valueOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}
