/** What the tests of the images' configs write into the published `config.schema.json`. */
import { z } from 'zod'

/** JSON Schema (draft 2020-12) of a config file. Generated, so that it cannot disagree with the validation. */
export function toJsonSchema(schema: z.ZodType, title: string): string {
  return JSON.stringify({ title, ...z.toJSONSchema(schema, { io: 'input' }) }, null, 2) + '\n'
}
