/** The rules a reviewer would otherwise repeat: no floating promises, no cycles, and who may import whom. */
import { join } from 'node:path'
import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import importX from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

/** The dependency rules of ARCHITECTURE.md: `target` must not import `from` (but for `except`). */
const zones = [
  {
    target: ['./harness/model.ts', './harness/model'],
    from: './',
    except: ['./harness/model', './harness/protocol', './node_modules'],
    message: 'The model imports only the protocol.',
  },
  {
    target: './harness/protocol',
    from: './',
    except: ['./harness/protocol', './node_modules'],
    message: 'The protocol imports nothing.',
  },
  {
    target: './infra/images',
    from: './harness',
    except: ['./protocol'],
    message: 'The images are products of their own: all that they know of the harness is the protocol.',
  },
  { target: './infra/images', from: './infra', except: ['./images'], message: 'The images stand alone.' },
  { target: './infra', from: './reports', message: 'infra and reports never import each other.' },
  { target: './reports', from: './infra', message: 'infra and reports never import each other.' },
  {
    target: './scenarios',
    from: './',
    except: ['./scenarios', './harness/model.ts', './node_modules'],
    message: 'scenarios import only the model.',
  },
  {
    target: './harness/stats',
    from: './harness',
    except: ['./stats', './model.ts', './protocol'],
    message: 'stats is pure: it imports only the model and the protocol.',
  },
]

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
    plugins: { 'import-x': importX },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: join(import.meta.dirname, '..') },
    },
    settings: {
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: 'tsconfig.json' })],
      // Without `.ts` here no module is read, and no cycle is found.
      'import-x/extensions': ['.ts'],
      'import-x/ignore': ['/node_modules/'],
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
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // A shape's type by its name: `interface Arm extends z.infer<typeof armSchema> {}`.
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      'import-x/no-restricted-paths': ['error', { zones }],
    },
  },
  {
    // Nothing imports a test, so that no cycle goes through one.
    files: ['**/*.ts'],
    ignores: ['**/*.test.ts', '**/*.itest.ts'],
    rules: { 'import-x/no-cycle': 'error' },
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
