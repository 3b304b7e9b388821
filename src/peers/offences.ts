/** What each offence costs: the one table. Whoever reports knows names only. */
import type { Ms } from '../model/units.ts'
import type { Offence } from '../ports/standing.ts'

interface Consequence {
  /** Taken off the behaviour of a peer, which is forgotten by 5 % a week. */
  readonly costs: number
  /** A lapse happens to honest peers as well (sleep, load): it orders, and shuts nobody out by itself. */
  readonly isLapse: boolean
  /** Asked and served nothing for a while. */
  readonly suspends: boolean
  /** For people, after "it". */
  readonly words: string
}

const lapse = (costs: number, words: string): Consequence => ({ costs, isLapse: true, suspends: false, words })
const breach = (costs: number, words: string): Consequence => ({ costs, isLapse: false, suspends: false, words })

export const OFFENCES: Readonly<Record<Offence, Consequence>> = {
  timeout: lapse(0.1, 'did not answer in time'),
  flood: lapse(0.2, 'sent more than it may'),
  'protocol-violation': breach(1, 'broke the protocol'),
  'bad-advert': breach(1, 'signed a false advert'),
  'false-claims': breach(1, 'claims what it does not have'),
  equivocation: breach(2, 'said two things under one number'),
  // The suspension is the consequence: with a cost on top, a stranger would never come back.
  'wrong-bytes': { costs: 0, isLapse: false, suspends: true, words: 'sent wrong bytes' }
}

/** First suspension; each repeat doubles it. */
export const SUSPENSION_MS: Ms = 24 * 3_600_000
/** A liar is not kept in mind for longer than a year. */
export const SUSPENSION_MS_MAX: Ms = 366 * 24 * 3_600_000
/** After this long without another one the next suspension is the first again. */
export const SUSPENSION_FORGOTTEN_MS: Ms = 30 * 24 * 3_600_000
