/** The rules a reviewer would otherwise repeat: no floating promises, short functions, pure modules. Who may import whom: rooms.js. */
import { join } from 'node:path'
import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Tests and their kits, whose functions are as long as what they tell. */
const tests = ['**/*.test.ts', '**/*.itest.ts', '**/testing/**', '**/testing.ts', '**/testkit.ts']

/** Modules that turn data into data: reading files or starting processes belongs elsewhere. */
const pureFiles = [
  'harness/stats/**/*.ts',
  'harness/plan/**/*.ts',
  'harness/analyze/**/*.ts',
  'reports/**/*.ts',
  'scenarios/**/*.ts',
]
const inputAndOutput = [
  'fs',
  'fs/promises',
  'child_process',
  'net',
  'http',
  'https',
  'http2',
  'dgram',
  'worker_threads',
]

export default defineConfig(
  { ignores: ['node_modules', 'dist', 'build', 'results', '**/testdata/**'] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: join(import.meta.dirname, '..') },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // A name says what it holds, a `cell` or a `verdict`; this one says only that there is something.
      'id-denylist': ['error', 'one'],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // A shape's type by its name: `interface Arm extends z.infer<typeof armSchema> {}`.
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
    },
  },
  {
    files: ['**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'TSAsExpression > TSTypeReference > Identifier[name=/^(EnvironmentRequest|ResolvedConfig)$/]',
          message:
            'Half a request hides what reads the other half: harness/testing/request.ts gives a whole one.',
        },
      ],
    },
  },
  {
    files: ['**/*.ts'],
    ignores: tests,
    rules: { 'max-lines-per-function': ['error', { max: 80, IIFEs: true }] },
  },
  {
    files: pureFiles,
    ignores: ['**/*.test.ts', '**/*.itest.ts', '**/testdata/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: inputAndOutput
            .flatMap((name) => [name, `node:${name}`])
            .map((name) => ({ name, message: 'This module is pure: no input or output.' })),
        },
      ],
    },
  },
  {
    files: ['harness/**/*.ts', 'infra/**/*.ts'],
    ignores: ['harness/process/exec.ts', 'infra/images/**', '**/*.test.ts', '**/*.itest.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['child_process', 'node:child_process'].map((name) => ({
            name,
            message: 'Subprocesses start only in harness/process/exec.ts.',
          })),
        },
      ],
    },
  },
  {
    files: ['**/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: 'readonly', process: 'readonly' } },
  },
)
