/** What verbs say on the terminal. A journal may come from anybody, and a terminal obeys what it is sent. */

/** Control characters as `\x1b`, but for line ends and tabs. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\x${code.toString(16).padStart(2, '0')}`
  })
}

export function print(line: string): void {
  process.stdout.write(`${printable(line)}\n`)
}
