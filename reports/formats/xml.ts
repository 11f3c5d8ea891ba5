/** Escapes text for XML; what XML 1.0 cannot carry has been made visible by `cleanDeep` before. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
