/** What to say when nobody has a content: how far the search looked, who had it last, and what to do. Pure. */
import type { PrivacyReason } from '../model/privacy.ts'
import type { Attempt, PreferredSource } from '../model/source.ts'
import type { Ms } from '../model/units.ts'

/** Who had a content, or said so, when it was last heard of. */
export interface Sighting {
  readonly peer: string
  readonly did: string
  readonly name?: string
  readonly what: 'had' | 'claimed'
  /** Unix milliseconds. */
  readonly at: Ms
  readonly ago: Ms
}

export interface NotFound {
  readonly message: string
  /** Reported after those that were made. */
  readonly attempts?: readonly Attempt[]
  /** For the error's data. */
  readonly lastSeen?: Readonly<Record<string, string>>
}

/** @param silent - of the unreachable, those that are connected and let their time pass */
export type NotFoundOf = (asked: number, unreachable: number, silent: number) => NotFound | undefined

const PRIVATE_NOBODY =
  'this content is not here, and because it is not known to be public nobody was asked: no peer you trust is known. Join one who has it ("kith join TICKET")'

export function notFoundFor(request: {
  readonly isPublic: boolean
  readonly classReason?: PrivacyReason
  /** Empty or absent: all. */
  readonly preferredSources?: readonly PreferredSource[]
  /** The last root tried for a content hash. */
  readonly isGuess: boolean
  readonly seen: () => Sighting | undefined
}): NotFoundOf {
  if (!request.isPublic) return (asked, unreachable, silent) => privateNotFound(asked, unreachable, silent, request.classReason)
  return (asked, unreachable) => {
    if (request.isGuess) return NO_MAPPING
    const seen = request.seen()
    const message = asked === 0 ? nobodyAsked(unreachable, request.preferredSources) : undefined
    if (seen === undefined) return message === undefined ? undefined : { message }
    return { message: `${message ?? 'nobody who was asked has this content'}. ${sentence(seen)}`, lastSeen: dataOf(seen) }
  }
}

/** How to have it sought in public, if that is for the caller to say: what is recorded, or what a trusted peer says, is not. */
function ifPublic(reason: PrivacyReason | undefined): string {
  if (reason === 'address') return ', or if it is public, ask for it as ipfs://CID.'
  if (reason === 'cid' || reason === 'unknown-hash') return ', or if it is public, say so: metadata.privacy "public" (--privacy public).'
  return '.'
}

function privateNotFound(asked: number, unreachable: number, silent: number, reason: PrivacyReason | undefined): NotFound {
  if (asked + unreachable === 0) return { message: `${PRIVATE_NOBODY}${ifPublic(reason)}` }
  if (asked === 0 && silent > 0)
    return {
      message: `${silent === 1 ? 'A peer you trust was asked and sent' : `${silent} peers you trust were asked and sent`} nothing in time, and because this content is not known to be public nobody else was asked. Ask again when the line is free, or look whether it is well (kith peers ping)${ifPublic(reason)}`
    }
  const who = asked === 0 ? 'No peer you trust could be reached' : `None of the peers you trust has it (${asked} asked)`
  return {
    message: `${who}, and because this content is not known to be public nobody else was asked. Connect to who has it (kith peers connect, kith join)${ifPublic(reason)}`
  }
}

/** IPFS and gateways know addresses only, and nobody gave one. */
const NO_MAPPING: NotFound = {
  message:
    'no peer that was asked knows this hash, and nobody has it as a single block. Content above 1 MiB can be had from IPFS and gateways by its CID only.',
  attempts: (['ipfs', 'gateway'] as const).map(stage => ({ stage, outcome: 'skipped', ms: 0, bytes: 0, reason: 'no-cid' }))
}

function nobodyAsked(unreachable: number, allowed: readonly PreferredSource[] = []): string {
  if (unreachable === 0 && allowed.length > 0)
    return `nobody could be asked for this content: of the sources you allowed (${allowed.join(', ')}) none is turned on and connected. Allow others: preferredSources (--sources)`
  const why = unreachable > 0 ? '' : ': no Kith peer is connected, and neither IPFS nor a gateway is configured'
  return `nobody could be asked for this content${why}`
}

function sentence({ name, did, what, ago }: Sighting): string {
  return `${name ?? did} ${what === 'had' ? 'had it' : 'said to have it'}, last seen ${inWords(ago)} ago`
}

function dataOf({ peer, did, name, what, at }: Sighting): Readonly<Record<string, string>> {
  return { peer, did, ...(name === undefined ? {} : { name }), what, at: new Date(at).toISOString() }
}

const UNITS: readonly (readonly [unit: string, ms: Ms])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000]
]

function inWords(ago: Ms): string {
  const [unit, ms] = UNITS.find(([, size]) => ago >= size) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor(ago / ms))} ${unit}`
}
