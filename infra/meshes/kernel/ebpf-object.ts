/**
 * The programs of the eBPF arm as they lie beside this file: `l4-kernel.bpf.o`, which is made of `l4-kernel.bpf.c` by
 *
 *     clang -O2 -g -target bpf -ffile-prefix-map=$PWD= -c l4-kernel.bpf.c -o l4-kernel.bpf.o && llvm-strip -g l4-kernel.bpf.o
 *
 * (clang 14, headers of Linux). What a run decides is written into the object, so that nothing has to be set afterwards.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { servicePort, type ServiceRules } from './rules.js'

const objectSha256 = '87db88a3c53665f6d12b2f58bd3134d8e1e768b1085c436e9cc662e472d0c531'

const path = fileURLToPath(new URL('l4-kernel.bpf.o', import.meta.url))

/** First field of `struct settings`. */
const mark = Buffer.from('settings')

/** The object for a service, ready to be loaded. Throws when the file is not the one that is meant. */
export async function objectFor(rules: ServiceRules): Promise<Buffer> {
  const object = await readFile(path)
  const found = createHash('sha256').update(object).digest('hex')
  if (found !== objectSha256) throw new Error(`${path} has the SHA-256 ${found}, not ${objectSha256}`)
  return withSettings(object, rules)
}

/** Writes a service into the object's constants: addresses and ports in network order, as packets have them. */
export function withSettings(object: Buffer, { service, server, clientAddress }: ServiceRules): Buffer {
  const patched = Buffer.from(object)
  const at = patched.indexOf(Buffer.concat([mark, Buffer.alloc(16)]))
  if (at < 0) throw new Error('the object has no settings to write over')
  const addresses = [service, server.address, clientAddress].flatMap((address) =>
    address.split('.').map(Number),
  )
  patched.set(addresses, at + mark.length)
  patched.writeUInt16BE(servicePort, at + mark.length + 12)
  patched.writeUInt16BE(server.port, at + mark.length + 14)
  return patched
}
