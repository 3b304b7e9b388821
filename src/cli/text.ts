/** Values as people read them on a terminal: tables, sizes, durations; nothing in them can move the cursor. */

/** Control characters and those that turn the direction of text: names come from strangers. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter)
}

/** JSON that is safe to show: what JSON itself leaves bare is escaped as well. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Characters that take two columns: East Asian scripts, full-width forms, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
/** Characters that take none of their own. */
const COMBINING = /\p{Mark}|\u200b|\u200d/u

/** Columns a text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** The beginning of a text that takes at most so many columns; `…` stands for what is missing. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let start = ''
  for (const character of text) {
    if (displayWidth(start + character) > columns - 1) break
    start += character
  }
  return columns < 1 ? '' : `${start}…`
}

/** Rows under a head, in columns; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, ...rows].map(row => row.map(cell => printable(String(cell))))
  const widths = head.map((_, column) => lines.reduce((widest, line) => Math.max(widest, displayWidth(line[column] ?? '')), 0))
  const isNumber = head.map((_, column) => rows.length > 0 && rows.every(row => typeof row[column] === 'number'))
  return lines
    .map(line =>
      line
        .map((cell, column) => {
          const space = ' '.repeat((widths[column] ?? 0) - displayWidth(cell))
          return isNumber[column] === true ? space + cell : cell + space
        })
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** Names and values, one a line; what is undefined is left out. */
export function facts(pairs: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const given = Object.entries(pairs).filter(([, value]) => value !== undefined)
  const width = Math.max(0, ...given.map(([name]) => name.length))
  return given.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}`).join('\n')
}

const SIZE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < SIZE_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${SIZE_UNITS[unit] ?? ''}`
}

export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60 ? `${minutes} min ${Math.round((ms % 60_000) / 1000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
