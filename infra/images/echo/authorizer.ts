/** An authorizer as proxies ask one over HTTP: by a field of the request it lets pass, or denies. */
import { firstValue } from '../kit/http1/http1-head.js'
import type { Decide } from './http1.js'

/** Undenied is 200, denied 403. The name is in lower case; a value has to be the same to the byte. */
export function authorizer({ header, value }: { header: string; value: string }): Decide {
  const allowed = { status: 200, body: '' }
  const denied = { status: 403, body: 'denied\n' }
  return (head) => (firstValue(head.fields(), header) === value ? allowed : denied)
}
