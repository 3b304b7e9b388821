/** Sets of leaves as ascending, disjoint ranges of indexes. Pure. */
import type { LeafRange } from '../ports/exchange.ts'

/** `all`: whatever is missing, also what is not named yet. */
export type LeafPart = 'all' | readonly LeafRange[]

/** What of `ranges` is not in `taken`. */
export function without(ranges: readonly LeafRange[], taken: LeafPart): LeafRange[] {
  if (taken === 'all') return []
  const left: LeafRange[] = []
  let next = 0
  for (const [start, count] of ranges) {
    const end = start + count
    let from = start
    for (let other = taken[next]; other !== undefined && other[0] < end; other = taken[next]) {
      if (other[0] > from) left.push([from, other[0] - from])
      from = Math.max(from, other[0] + other[1])
      if (from >= end) break // it may reach into the next range as well
      next += 1
    }
    if (from < end) left.push([from, end - from])
  }
  return left
}

/**
 * The last leaves, as many as `bytes` are worth: the last one counts in when most of it fits. Never the first of all,
 * which may be on its way already.
 */
export function tailOf(ranges: readonly LeafRange[], bytes: number, sizeOf: (index: number) => number): LeafRange[] {
  const first = ranges[0]?.[0]
  const taken: LeafRange[] = []
  let left = bytes
  for (const [start, count] of ranges.toReversed()) {
    const end = start + count
    let from = end
    while (from > start && from - 1 !== first && sizeOf(from - 1) * MOST <= left) {
      from -= 1
      left -= sizeOf(from)
    }
    if (from < end) taken.unshift([from, end - from])
    if (from > start) break
  }
  return taken
}

/** Share of a leaf that has to fit. */
const MOST = 0.75
