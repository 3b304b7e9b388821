/** Where the score of a peer that is not trusted lies when peers are ordered by expected time: below that of every trusted one. Pure. */
import type { Ms } from './units.ts'

/** Whatever takes more than a day is equally bad. */
export const EXPECTED_MS_MAX: Ms = 100_000_000

/** Added to the score of a stranger, whose share of its own is never below −{@link EXPECTED_MS_MAX}, nor by much above 0. */
export const STRANGER_SCORE = -10 * EXPECTED_MS_MAX

/** The score among its own kind, trusted or not. */
export function scoreWithin(score: number): { readonly isStranger: boolean; readonly score: number } {
  const isStranger = score < STRANGER_SCORE / 2
  return { isStranger, score: isStranger ? score - STRANGER_SCORE : score }
}
