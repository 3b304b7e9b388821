/**
 * Suggests the word a person probably meant. Distances count swapped neighbours as one slip
 * (optimal string alignment, a form of Damerau-Levenshtein), since that is how people mistype.
 */

/** Longer words are never suggested for: the work is quadratic. Characters. */
const WORD_CHARACTERS_MAX = 64

/** What is shown of a word in a message: a wrong one may be of any length. */
export function clipped(word: string): string {
  return word.length > WORD_CHARACTERS_MAX ? `${word.slice(0, WORD_CHARACTERS_MAX)}…` : word
}

/** @returns the candidate nearest to `word`, ignoring case; undefined when none is near enough to be meant */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_CHARACTERS_MAX) return undefined
  const wanted = word.toLowerCase()
  const slipsMax = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  let bestSlips = slipsMax + 1
  for (const candidate of candidates) {
    const slips = editDistance(wanted, candidate.toLowerCase())
    if (slips < bestSlips) [best, bestSlips] = [candidate, slips]
  }
  return best
}

/** ` Did you mean "x"?`, or nothing: ready to append to a message. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const nearest = nearestWord(word, candidates)
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`
}

/** @returns insertions, deletions, changes and swaps of neighbours between both; Infinity for overlong words */
export function editDistance(a: string, b: string): number {
  if (a.length > WORD_CHARACTERS_MAX || b.length > WORD_CHARACTERS_MAX) return Number.POSITIVE_INFINITY
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = nextRow({ a, b, row, last, beforeLast })
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}

interface RowState {
  readonly a: string
  readonly b: string
  readonly row: number
  readonly last: readonly number[]
  readonly beforeLast: readonly number[]
}

function nextRow({ a, b, row, last, beforeLast }: RowState): number[] {
  const current = [row]
  for (let column = 1; column <= b.length; column++) {
    const same = a[row - 1] === b[column - 1]
    let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1))
    const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
    if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1)
    current.push(cost)
  }
  return current
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
