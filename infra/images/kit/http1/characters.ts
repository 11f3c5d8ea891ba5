/** Which characters may stand where in an HTTP/1.1 head, and how to compare and trim without a copy. */

/** RFC 9110 §5.6.2. */
export const tokenCharacters = characterTable(
  (c) =>
    (c >= 48 && c <= 57) ||
    (c >= 65 && c <= 90) ||
    (c >= 97 && c <= 122) ||
    "!#$%&'*+-.^_`|~".includes(String.fromCharCode(c)),
)
/** RFC 9110 §5.5: visible characters, obs-text, space and tab. */
export const valueCharacters = characterTable((c) => c === 9 || (c >= 32 && c !== 127))
/** RFC 9112 §3.2 and RFC 3986: no space, no control, no fragment, nothing beyond ASCII. */
export const targetCharacters = characterTable((c) => c > 32 && c < 127 && c !== 35)

function characterTable(allowed: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (allowed(code) ? 1 : 0))
}

export const carriageReturn = 13
export const lineFeed = 10
export const space = 32
export const tab = 9
export const colonCode = 58

/** Compares with a name in lower case, whatever the case of the text. */
export function isName(raw: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    // Lower-casing by one bit: letters become lower case, and "-" stays, among the characters of a token.
    if ((raw.charCodeAt(start + i) | 32) !== name.charCodeAt(i)) return false
  }
  return true
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** Without the optional white space (space and tab only) around it. */
export function trimSpace(raw: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isSpace(raw.charCodeAt(start))) start++
  while (end > start && isSpace(raw.charCodeAt(end - 1))) end--
  return raw.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === space || code === tab
}
