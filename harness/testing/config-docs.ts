/**
 * Writes harness/config/README.md: each field that a config may have, from the schema that checks it (type, bounds, default) and
 * from the comment beside it in the source (what it is for), which TypeScript knows.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import { z } from 'zod'
import { meshes } from '../../infra/meshes/index.js'
import { platforms } from '../../infra/platforms/index.js'
import { experiments } from '../../scenarios/experiments/index.js'
import { configSchema } from '../config/config-schema.js'
import { packageRoot } from '../process/package-root.js'

type JsonSchema = z.core.JSONSchema.BaseSchema

interface Field {
  readonly path: string
  readonly type: string
  readonly fallback: string
  readonly purpose: string
}

const isObject = (schema: unknown): schema is JsonSchema => typeof schema === 'object' && schema !== null
const jsonSchemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })

/** Modules that may hold the settings of a mesh, a platform or a hop. */
function settingsModules(): readonly string[] {
  return readdirSync(join(packageRoot, 'infra'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /settings\.ts$/.test(name))
    .map((name) => join(packageRoot, 'infra', name))
    .sort()
}

/** What TypeScript knows of the types behind the schemas. */
class Comments {
  readonly #checker: ts.TypeChecker
  readonly #program: ts.Program

  constructor(files: readonly string[]) {
    const { config } = ts.readConfigFile(join(packageRoot, 'tsconfig.json'), (file) =>
      readFileSync(file, 'utf8'),
    ) as {
      readonly config: object
    }
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, packageRoot)
    this.#program = ts.createProgram(files, { ...options, noEmit: true })
    this.#checker = this.#program.getTypeChecker()
  }

  #exported(file: string, name: string): ts.Symbol {
    const source = this.#program.getSourceFile(file)
    const module = source && this.#checker.getSymbolAtLocation(source)
    const found = module && this.#checker.getExportsOfModule(module).find((symbol) => symbol.name === name)
    if (!found) throw new Error(`${relative(packageRoot, file)} exports no ${name}`)
    return found
  }

  declared(file: string, name: string): ts.Type {
    return this.#checker.getDeclaredTypeOfSymbol(this.#exported(file, name))
  }

  /** The input type of an exported schema: Zod keeps it in the type of `_zod.input`. */
  inputOf(file: string, name: string): ts.Type | undefined {
    const schema = this.#checker.getTypeOfSymbol(this.#exported(file, name))
    return this.property(this.property(schema, '_zod')?.type, 'input')?.type
  }

  property(type: ts.Type | undefined, name: string): { type: ts.Type; purpose: string } | undefined {
    const bare = type && this.#checker.getNonNullableType(type)
    const symbol = bare && this.#checker.getPropertyOfType(bare, name)
    if (!symbol) return undefined
    return {
      type: this.#checker.getNonNullableType(this.#checker.getTypeOfSymbol(symbol)),
      purpose: this.#said(symbol) || this.#saidOfSource(symbol),
    }
  }

  #said(symbol: ts.Symbol | undefined): string {
    const isImported = symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0
    const meant = isImported ? this.#checker.getAliasedSymbol(symbol) : symbol
    const parts = meant?.getDocumentationComment(this.#checker)
    return ts.displayPartsToString(parts).replaceAll(/\s+/g, ' ').trim()
  }

  /** `cost.perGibHour.default(0.005)` and `rate.default(100)`: what is said where it comes from holds for it, too. */
  #saidOfSource({ declarations = [] }: ts.Symbol): string {
    const [declared] = declarations
    let at: ts.Node | undefined =
      declared && ts.isPropertyAssignment(declared)
        ? declared.initializer
        : declared && ts.isShorthandPropertyAssignment(declared)
          ? declared.name
          : undefined
    while (at) {
      // What is called has words of its own, which are not about the field.
      const isCalled = ts.isCallExpression(at.parent) && at.parent.expression === at
      const symbol = ts.isShorthandPropertyAssignment(at.parent)
        ? this.#checker.getShorthandAssignmentValueSymbol(at.parent)
        : this.#checker.getSymbolAtLocation(at)
      const said = isCalled ? '' : this.#said(symbol)
      if (said !== '') return said
      at = ts.isCallExpression(at) || ts.isPropertyAccessExpression(at) ? at.expression : undefined
    }
    return ''
  }

  /** What an array holds. */
  element(type: ts.Type | undefined): ts.Type | undefined {
    return type && this.#checker.getIndexTypeOfType(type, ts.IndexKind.Number)
  }
}

function typeOf(schema: JsonSchema): string {
  const options = schema.anyOf ?? schema.oneOf
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum) {
    const values = schema.enum.map((value) => `\`${String(value)}\``)
    return values.length > 12 ? 'a name of `meshbench list`' : values.join(', ')
  }
  if (options) return [...new Set(options.filter(isObject).map(typeOf))].join(' or ')
  if (schema.type === 'array') return `list of ${isObject(schema.items) ? typeOf(schema.items) : 'anything'}`
  if (schema.type === 'object') return 'object'
  if (schema.type === 'number' || schema.type === 'integer') return [schema.type, boundsOf(schema)].join('')
  return typeof schema.type === 'string' ? schema.type : 'anything'
}

function boundsOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: JsonSchema): string {
  const isPlain = (bound: unknown) => typeof bound === 'number' && Math.abs(bound) !== Number.MAX_SAFE_INTEGER
  const bounds = [
    isPlain(exclusiveMinimum) && `> ${exclusiveMinimum}`,
    isPlain(minimum) && `≥ ${minimum}`,
    isPlain(exclusiveMaximum) && `< ${exclusiveMaximum}`,
    isPlain(maximum) && `≤ ${maximum}`,
  ].filter(Boolean)
  return bounds.length > 0 ? ` ${bounds.join(', ')}` : ''
}

/** A comment names the default for those who read it in an editor; the table has a column of its own for it. */
function purposeOf(comment: string, fallback: string): string {
  return fallback === '' ? comment : comment.replace(/ ?Default: [^.]*(\.\d[^.]*)*\.$/, '').trim()
}

/** The fields of a schema, those of objects and of lists of objects within it after their own. */
function fieldsOf(schema: JsonSchema, comments: Comments, type?: ts.Type, prefix = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    if (!isObject(value)) return []
    const known = comments.property(type, name)
    const path = `${prefix}${name}`
    const given = value.default === undefined ? '' : `\`${JSON.stringify(value.default)}\``
    const field = {
      path,
      type: typeOf(value),
      fallback: schema.required?.includes(name) ? 'needed' : given,
      purpose: purposeOf(known?.purpose || value.description || '', given),
    }
    const items = value.type === 'array' && isObject(value.items) ? value.items : undefined
    return [
      field,
      ...(items
        ? fieldsOf(items, comments, comments.element(known?.type), `${path}[].`)
        : fieldsOf(value, comments, known?.type, `${path}.`)),
    ]
  })
}

function table(fields: readonly Field[]): string {
  const rows = fields.map(({ path, type, fallback, purpose }) =>
    [`\`${path}\``, type, fallback, purpose].map((cell) => cell.replaceAll('|', '\\|')),
  )
  return [
    '| field | type | default | what it is for |',
    '| --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')
}

/** Types of settings by the schema that checks them, found among what the settings' modules export. */
async function settingsTypes(comments: Comments, files: readonly string[]) {
  const found = new Map<unknown, ts.Type>()
  for (const file of files) {
    const exports = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
    for (const [name, value] of Object.entries(exports)) {
      if (!(value instanceof z.ZodType)) continue
      const type = comments.inputOf(file, name)
      if (type) found.set(value, type)
    }
  }
  return found
}

type Owner = Readonly<Record<string, { readonly settings?: z.ZodType }>>

/** A section for each of a registry that has settings; those with the same settings share one. */
function settingsSections(owners: Owner, comments: Comments, types: ReadonlyMap<unknown, ts.Type>): string {
  const sections = new Map<string, string[]>()
  // What a mesh of hops lets be set is put together of what its programs do.
  const ofHops = comments.declared(join(packageRoot, 'infra/meshes/hops/settings.ts'), 'HopSettings')
  for (const [name, { settings }] of Object.entries(owners)) {
    if (!settings) continue
    const fields = fieldsOf(jsonSchemaOf(settings), comments, types.get(settings) ?? ofHops)
    if (fields.length === 0) continue
    const text = table(fields)
    sections.set(text, [...(sections.get(text) ?? []), name])
  }
  return [...sections]
    .map(([text, named]) => `### ${named.map((name) => `\`${name}\``).join(', ')}\n\n${text}`)
    .join('\n\n')
}

export async function configDocs(): Promise<string> {
  const files = settingsModules()
  const entry = join(packageRoot, 'harness/config.ts')
  const comments = new Comments([entry, ...files])
  const types = await settingsTypes(comments, files)
  const config = comments.declared(entry, 'UserConfig')
  const settingsOf = comments.property(config, 'experiments')?.type
  const asked = Object.entries(experiments).map(([name, { question, settings }]) => {
    const fields = fieldsOf(jsonSchemaOf(settings), comments, comments.property(settingsOf, name)?.type)
    return `### \`${name}\`\n\n${question}\n\n${table(fields)}`
  })
  const general = fieldsOf(jsonSchemaOf(configSchema), comments, config).filter(
    ({ path }) => !/^(mesh|platform)Settings\./.test(path),
  )
  return [
    '# What `bench.config.ts` may say',
    'Written from the schemas and their comments; `harness/config/config-docs.itest.ts` fails when it lags.',
    table(general),
    '## `experiments`',
    'Timing that is not given comes from the profile.',
    ...asked,
    '## `meshSettings`',
    settingsSections(meshes, comments, types),
    '## `platformSettings`',
    settingsSections(platforms, comments, types),
    '',
  ].join('\n\n')
}
