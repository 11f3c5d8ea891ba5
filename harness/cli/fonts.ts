/** Finds the fonts that charts are drawn with where there is no browser: a dependency, so that every machine has the same. */
import { createRequire } from 'node:module'

const weights = ['400Regular', '600SemiBold'] as const

/** Absolute paths of font files. */
export function findFonts(): readonly string[] {
  const { resolve } = createRequire(import.meta.url)
  return weights.map((weight) => resolve(`@expo-google-fonts/inter/${weight}/Inter_${weight}.ttf`))
}
