/** One JSON line per exchange, written in blocks so that logging does not add a system call to each request. */
import { type WriteStream, createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { type FilterExchange, defineFilter } from '../../exchange/filter.js'

const flushBytes = 16 * 1024
const flushMs = 200
/** A reader that does not keep up loses lines, which are counted, instead of filling the memory. */
const maxBacklogBytes = 4 * 1024 * 1024

export const accessLog = defineFilter({
  schema: z
    .strictObject({ file: z.string().min(1).optional().describe('absent: standard output') })
    .describe('Access log in JSON lines'),
  create: ({ file }, { registry, baseDir }) => {
    const lines = registry.counters('meshbench_access_log_lines_total', 'Lines of the access log.', {
      outcome: ['written', 'dropped'],
    })
    const output: WriteStream | NodeJS.WriteStream =
      file === undefined ? process.stdout : createWriteStream(resolve(baseDir, file), { flags: 'a' })
    output.on('error', () => {})
    let block = ''
    const flush = (): void => {
      if (block === '') return
      output.write(block)
      block = ''
    }
    const timer = setInterval(flush, flushMs)
    timer.unref()
    return {
      needsTime: true,
      end(exchange) {
        if (output.writableLength > maxBacklogBytes) {
          lines.dropped.add()
          return
        }
        block += lineOf(exchange)
        lines.written.add()
        if (block.length > flushBytes) flush()
      },
      close() {
        clearInterval(timer)
        flush()
        if (output !== process.stdout) output.end()
      },
    }
  },
})

function lineOf(exchange: FilterExchange): string {
  const { request, response, client } = exchange
  return (
    JSON.stringify({
      event: 'access',
      time: new Date().toISOString(),
      listener: client.listener,
      method: request.method,
      authority: request.authority,
      path: request.path,
      status: response?.status ?? 0,
      durationMs: Math.round((performance.now() - exchange.startedAtMs) * 1000) / 1000,
      requestBytes: exchange.requestBytes,
      responseBytes: exchange.responseBytes,
      peer: client.peer?.id,
      address: client.address,
      upstream: exchange.endpoint?.name,
      attempts: exchange.attempts,
      traceparent: request.fields.get('traceparent'),
      failure: exchange.failure === '' ? undefined : exchange.failure,
    }) + '\n'
  )
}
