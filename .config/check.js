/** Types, lint, rooms and format side by side, since each of them keeps one core busy. Fails when one of them does. */
import { spawn } from 'node:child_process'

const checks = [
  'eslint -c .config/eslint.config.js .',
  'tsc -p tsconfig.json',
  'node .config/rooms.js',
  'prettier --check --log-level warn .',
]

const codes = await Promise.all(
  checks.map(
    (command) =>
      new Promise((resolve) => {
        // npm puts the programs on the PATH.
        const child = spawn(command, { shell: true, stdio: 'inherit' })
        child.once('error', () => resolve(1))
        child.once('close', (code) => resolve(code ?? 1))
      }),
  ),
)
for (const [index, code] of codes.entries()) if (code !== 0) console.error(`failed: ${checks[index]}`)
process.exitCode = codes.some((code) => code !== 0) ? 1 : 0
