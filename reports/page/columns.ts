/** Rows as aligned text, for terminals: the first column to the left, figures to the right. */

/** Lines without trailing spaces. `rows` may be of different lengths; missing cells are empty. */
export function alignColumns(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, index) =>
    Math.max(...rows.map((row) => [...(row[index] ?? '')].length)),
  )
  return rows.map((row) =>
    widths
      .map((width, index) => {
        const cell = row[index] ?? ''
        const room = ' '.repeat(width - [...cell].length)
        return left.includes(index) ? cell + room : room + cell
      })
      .join('  ')
      .trimEnd(),
  )
}

/** Terminals show the narrow no-break space badly; a plain one does. */
export function plain(text: string): string {
  return text.replace(/[\u202f\u00a0]/g, ' ')
}
