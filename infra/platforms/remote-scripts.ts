/**
 * Short programs that are run inside a container with `node -e`, for what cannot be reached from outside of it.
 *
 * Arguments are passed as JSON in `argv`, never pasted into the program.
 */

/** `argv` that prints the body of a GET, or fails unless the status is 200. */
export function fetchScript(host: string, port: number, path: string): readonly string[] {
  return script(
    `const [host, port, path] = JSON.parse(process.argv[1])
    const reply = await fetch('http://' + host + ':' + port + path, { signal: AbortSignal.timeout(5000) })
    if (reply.status !== 200) throw new Error('GET ' + path + ' answered ' + reply.status)
    process.stdout.write(await reply.text())`,
    [host, port, path],
  )
}

/** `argv` that sends bytes and prints, in base64, what comes back until the peer closes or the time is up. */
export function exchangeScript(
  host: string,
  port: number,
  bytes: Uint8Array,
  timeoutMs: number,
): readonly string[] {
  return script(
    `const [host, port, bytes, timeoutMs] = JSON.parse(process.argv[1])
    const { connect } = await import('node:net')
    const chunks = []
    const socket = connect(port, host)
    setTimeout(() => socket.destroy(), timeoutMs).unref()
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => process.stdout.write(Buffer.concat(chunks).toString('base64')))
    socket.write(Buffer.from(bytes, 'base64'))`,
    [host, port, Buffer.from(bytes).toString('base64'), timeoutMs],
  )
}

/** Bytes that `exchangeScript` printed. */
export function parseExchange(stdout: string): Uint8Array {
  return Buffer.from(stdout.trim(), 'base64')
}

/** `argv` that does nothing until it is told to end: it keeps a place where other commands can be run. */
export function idleScript(): readonly string[] {
  return script(
    `process.on('SIGTERM', () => process.exit(0))
    process.on('SIGINT', () => process.exit(0))
    setInterval(() => {}, 2 ** 30)`,
    [],
  )
}

/** `argv` that ends every process of the container but its first and itself. */
export function killAllScript(signal: 'SIGTERM' | 'SIGKILL'): readonly string[] {
  return script(
    `const [signal] = JSON.parse(process.argv[1])
    const { readdirSync } = await import('node:fs')
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!(pid > 1) || pid === process.pid) continue
      try { process.kill(pid, signal) } catch {}
    }`,
    [signal],
  )
}

function script(source: string, values: readonly unknown[]): readonly string[] {
  return ['node', '--input-type=module', '-e', source.replaceAll(/\n\s+/g, '\n'), JSON.stringify(values)]
}
