/** The table of load generators as Markdown: questions down, tools across. */
import type { TruthCell, TruthTable } from '../../harness/model/truth.js'
import * as words from './words.js'

export function truthMarkdown(table: TruthTable): string {
  const names = table.tools.map(({ name }) => name)
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    '# Which load generator can be believed',
    '',
    words.standingLine(table),
    '',
    words.closestLine(table),
    '',
    words.hostLine(table),
    ...words.warningsOf(table).map((warning) => `**${warning}**`),
    '',
    row(words.truthColumns(table)),
    row(['question', ...names, 'ours'].map(() => '---')),
    ...table.questions.map(({ id, title }) =>
      row([title, ...names.map((name) => cellText(table.cells[name]?.[id])), words.standingWords(table, id)]),
    ),
    '',
    words.keyLine,
    'Right is:',
    '',
    ...table.questions.filter(({ rule }) => rule !== 'told').map(({ title, rule }) => `- ${title}: ${rule}`),
    '',
    'What is known of the tools:',
    '',
    ...words.notesOf(table).map((note) => `- ${note}`),
    ...(table.absent.length > 0 ? ['', `Not on the PATH: ${table.absent.join(', ')}.`] : []),
    '',
  ].join('\n')
}

function cellText(cell: TruthCell | undefined): string {
  return cell ? `${words.markOf(cell)} ${cell.text}`.trim() : ''
}
