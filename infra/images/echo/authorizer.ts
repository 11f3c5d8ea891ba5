/** An authorizer as proxies ask one over HTTP: by a field of the request it lets pass, or denies. */
import type { Decide } from './http1.js'

/** Undenied is 200, denied 403. The name is in lower case; a value has to be the same to the byte. */
export function authorizer({ header, value }: { header: string; value: string }): Decide {
  const allowed = { status: 200, body: '' }
  const denied = { status: 403, body: 'denied\n' }
  return (head) => (fieldOf(head, header) === value ? allowed : denied)
}

/** Value of the first field of this name; the head has been checked. */
function fieldOf(head: string, name: string): string | undefined {
  for (let end = head.indexOf('\r\n'); end >= 0;) {
    const start = end + 2
    end = head.indexOf('\r\n', start)
    const colon = head.indexOf(':', start)
    if (head.slice(start, colon).toLowerCase() === name)
      return head.slice(colon + 1, end < 0 ? undefined : end).trim()
  }
  return undefined
}
