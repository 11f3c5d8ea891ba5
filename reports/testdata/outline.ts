/** A page as a reviewer would read it aloud: headings, sentences and tables as text, every drawing as what it is made of. */

const drawn = ['path', 'circle', 'line', 'rect', 'text'] as const

/** One line for each piece of text; scripts, styles and embedded data are left out, long tables are cut. */
export function outlineOf(html: string, longestTable = 12): string {
  const body = html
    .slice(html.indexOf('<body'))
    .replace(/<(script|style)\b[^>]*>[\s\S]*?<\/\1>/g, '')
    .replace(/<svg class="defs"[\s\S]*?<\/svg>/, '')
    .replace(/<svg\b[\s\S]*?<\/svg>/g, (svg) => `\n[drawing: ${parts(svg)}]\n`)
    .replace(/<table\b[^>]*>([\s\S]*?)<\/table>/g, (_, rows: string) => tableText(rows, longestTable))
    .replace(/<(h[1-6])\b[^>]*>/g, (_, tag: string) => `\n${'#'.repeat(Number(tag[1]))} `)
    .replace(/<\/?(p|li|ul|ol|section|figure|figcaption|details|summary|div|header|footer|nav|main|h[1-6])\b[^>]*>/g, '\n')
    .replace(/<[^>]+>/g, '')
  return body
    .split('\n')
    .map((line) => decode(line).replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
}

function parts(svg: string): string {
  return drawn
    .map((name) => [name, svg.match(new RegExp(`<${name}\\b`, 'g'))?.length ?? 0] as const)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}

function tableText(rows: string, longest: number): string {
  const lines = [...rows.matchAll(/<tr\b[^>]*>([\s\S]*?)<\/tr>/g)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd]\b[^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell = '']) => cell.replace(/<[^>]+>/g, '')).join(' | '),
  )
  const cut = lines.length > longest ? [`[${lines.length - longest} more rows]`] : []
  return `\n${[...lines.slice(0, longest), ...cut].join('\n')}\n`
}

function decode(text: string): string {
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(parseInt(code, 16)))
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
}
