/** The trust methods of the socket: what the operator says of others, and what comes of it. */
import { parseDuration } from '../config/quantities.ts'
import { KithError } from '../errors.ts'
import { ASSERTION_SECONDS_MAX } from '../peers/assertion-claims.ts'
import type { AssertionOutbox, Delivery } from '../peers/assertion-outbox.ts'
import type { AssertionBook } from '../peers/assertions.ts'
import type { BehaviourBook } from '../peers/behaviour.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import { nodeOf, parseDid } from '../peers/did.ts'
import type { PersonBlocks } from '../peers/person-blocks.ts'
import type { PeerStanding } from '../peers/standing.ts'
import type { TrustBook } from '../peers/trust-book.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import type { Network } from '../ports/network.ts'
import type { TrustEntry, TrustServices } from '../rpc/services-people.ts'

/** Chains shown for one DID. */
const PATHS_SHOWN_MAX = 8
/** DIDs listed without an entry of the operator: shunned, or spoken of by others. */
const OTHERS_LISTED_MAX = 1_000
/** Readers of one assertion; each gets a signature and a place in the outbox. */
const READERS_MAX = 64
/** An assertion says so much unless it is told otherwise: four half-lives. Seconds. */
const EXPIRES_DEFAULT_SECONDS = 365 * 86_400
/** Shorter ones would be over before the clocks agree. Seconds. */
const EXPIRES_SECONDS_MIN = 60

/** What trust is made of. */
export interface TrustParts {
  readonly standing: PeerStanding
  readonly book: TrustBook
  readonly blocks: PersonBlocks
  readonly behaviour: BehaviourBook
  readonly assertions: AssertionBook
  readonly outbox: AssertionOutbox
}

export interface TrustServicesComponents extends TrustParts {
  readonly clock: Clock
  readonly identity: Identity
  readonly network: Pick<Network, 'isConnected' | 'disconnect'>
}

export function trustServices(parts: TrustServicesComponents): TrustServices {
  const { book, blocks, standing, outbox, network, identity } = parts
  const other = (text: string): string => {
    const did = parseDid(text)
    if (did === identity.did) throw new KithError('INVALID_PARAMS', `${did} is this node itself; it is not judged`)
    return did
  }
  return {
    set: async ({ did: text, level, name }) => {
      const did = other(text)
      await book.setLevel(did, level, name)
      return entryOf(parts, did)
    },
    get: async text => entryOf(parts, other(text)),
    list: async () => ({ items: listed(parts).map(did => entryOf(parts, did)) }),
    assert: async ({ did: text, level, context, expires, to }, options) => {
      const sub = other(text)
      const words = {
        sub,
        level: level ?? levelSet(book, sub),
        seconds: secondsOf(expires),
        ...(context === undefined ? {} : { context })
      }
      const said = await outbox.say({ ...words, to: readersOf(parts, to, sub) }, options)
      // Nobody is there to be told: signed for the one it is about, and sent nowhere.
      return { jwt: said[0]?.jwt ?? (await outbox.sign(words, sub)), delivery: deliveries(said) }
    },
    revoke: async ({ did: text, to }, options) => {
      const did = other(text)
      await book.forgetLevel(did)
      const told = outbox.readersOf(did)
      const readers = to === undefined ? told : to.map(reader => parseDid(reader)).filter(reader => told.includes(reader))
      await outbox.say({ sub: did, level: 0, seconds: EXPIRES_DEFAULT_SECONDS, to: readers }, options)
      return entryOf(parts, did)
    },
    block: async text => {
      const did = other(text)
      await blocks.block(did)
      const peer = nodeOf(did)
      if (peer !== undefined && network.isConnected(peer)) await network.disconnect(peer)
      return entryOf(parts, did)
    },
    unblock: async text => {
      const did = other(text)
      await book.unblock(did)
      await standing.forgive(did)
      return entryOf(parts, did)
    }
  }
}

function entryOf({ standing, behaviour }: TrustParts, did: string): TrustEntry {
  const judged = standing.judge(did)
  const counts = behaviour.get(did)?.counts ?? {}
  const { name, level, suspendedUntil } = judged
  return {
    did,
    ...(name === undefined ? {} : { name }),
    ...(level === undefined ? {} : { level }),
    access: rounded(judged.access),
    effective: rounded(judged.trust),
    blocked: judged.isBlocked,
    paths: standing
      .pathsTo(did)
      .slice(0, PATHS_SHOWN_MAX)
      .map(({ through, trust }) => ({ through, trust: rounded(trust) })),
    behaviour: rounded(judged.behaviour),
    ...(Object.keys(counts).length === 0 ? {} : { offences: counts }),
    ...(suspendedUntil === undefined ? {} : { suspendedUntil: new Date(suspendedUntil).toISOString() }),
    ...(judged.shunned === undefined ? {} : { note: judged.shunned })
  }
}

/** Whom the operator has an entry for, then those that are shunned and those others speak of. */
function listed({ book, standing, behaviour, assertions }: TrustParts): string[] {
  const known = [...book.entries()].map(([did]) => did)
  const others = new Set([...[...behaviour.offenders()].filter(did => standing.judge(did).shunned !== undefined), ...assertions.subjects()])
  for (const did of known) others.delete(did)
  return [...known, ...[...others].slice(0, OTHERS_LISTED_MAX)]
}

function levelSet(book: TrustBook, did: string): number {
  const level = book.get(did)?.level
  if (level !== undefined) return level
  throw new KithError('INVALID_PARAMS', `no level was set for ${did}: say which level to assert, or set one (kith trust set)`)
}

/** @throws KithError INVALID_PARAMS for persons: a word is handed over to a node */
function readersOf({ standing }: TrustParts, to: readonly string[] | undefined, sub: string): string[] {
  const readers = to?.map(reader => parseDid(reader)) ?? standing.trustedPeers().map(didFromPeerId)
  const person = readers.find(reader => nodeOf(reader) === undefined)
  if (person !== undefined)
    throw new KithError('INVALID_PARAMS', `${person} is a person's DID; an assertion is handed to a node: did:key:z6Mk… or its PeerId`)
  if (to !== undefined && readers.includes(sub))
    throw new KithError('INVALID_PARAMS', `${sub} is whom the assertion is about; a word about the reader itself counts nothing`)
  const chosen = [...new Set(readers)].filter(reader => reader !== sub)
  if (to !== undefined && chosen.length > READERS_MAX)
    throw new KithError('INVALID_PARAMS', `${chosen.length} readers were named, at most ${READERS_MAX} are told at once`)
  return chosen.slice(0, READERS_MAX)
}

function secondsOf(expires: string | undefined): number {
  if (expires === undefined) return EXPIRES_DEFAULT_SECONDS
  const ms = parseDuration(expires)
  const seconds = ms === undefined ? undefined : Math.floor(ms / 1000)
  if (seconds !== undefined && seconds >= EXPIRES_SECONDS_MIN && seconds <= ASSERTION_SECONDS_MAX) return seconds
  throw new KithError('INVALID_PARAMS', `"${expires}" is no time an assertion can last: write one from 1m to 732d, such as 90d`)
}

function deliveries(said: readonly { readonly reader: string; readonly delivery: Delivery }[]): Record<string, Delivery> {
  return Object.fromEntries(said.map(({ reader, delivery }) => [reader, delivery]))
}

/** Three digits: more would only show how time passes. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
