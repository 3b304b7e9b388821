/**
 * What a node says about itself when it is asked directly: the capabilities of its advert, what it does for the asker,
 * which versions it speaks and who speaks for it. Signed, short-lived and meant for that asker alone. Nothing is kept
 * but a few answers for some seconds.
 */
import { fromString, toString } from 'uint8arrays'
import type { Bytes, Ms } from '../model/units.ts'
import { didFromPeerId } from '../peers/did-key.ts'
import { JwtError, signJwt, verifyJwt, type UnverifiedJwt } from '../peers/jwt.ts'
import type { Clock } from '../ports/clock.ts'
import type { Identity } from '../ports/identity.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { readCapabilities, type Capabilities } from './claims.ts'
import { CAPABILITIES_CHARACTERS_MAX } from './limits.ts'

/** `aud` is this, a space and the asker's DID: a token for one asker tells another nothing. */
const AUDIENCE = 'kith/capabilities/1'
const VERSION = 1
/** Seconds. */
const LIFETIME_SECONDS = 60
/** Longest lifetime believed. Seconds. */
const LIFETIME_SECONDS_MAX = 300
/** The same asker gets the same answer for this long: a signature costs half a millisecond. */
const ANSWER_KEPT_MS: Ms = 5_000
/** Askers whose answer is kept. Count. */
const ANSWERS_MAX = 256
const PROTOCOLS_MAX = 16
const PROTOCOL_CHARACTERS_MAX = 64
const VERSION_CHARACTERS_MAX = 64
const BINDINGS_MAX = 4

/** What a node fetches for the asker through its own IPFS. 0: no limit. */
export interface ProxyLimits {
  readonly maxBytes: Bytes
  readonly quotaBytesPerDay: Bytes
  readonly maxConcurrent: number
}

/** What a node says, for one asker. */
export interface OwnAnswer {
  readonly seq: number
  readonly caps: Capabilities
  /** Absent: it fetches nothing for this asker. */
  readonly proxy?: ProxyLimits | undefined
  readonly version: string
  readonly protocols: readonly string[]
  /** Tokens, see peers/bindings.ts. */
  readonly bindings: readonly string[]
}

/** The same, as a peer said it. */
export interface PeerCapabilities extends OwnAnswer {
  readonly did: string
  readonly peerId: string
  /** Unix seconds. */
  readonly issuedAt: number
  /** Unix seconds. */
  readonly expires: number
}

export interface CapabilityAnswersComponents {
  readonly identity: Identity
  readonly clock: Clock
  /** What holds for this peer now; null as long as there is no advert. */
  readonly answerFor: (peer: string) => OwnAnswer | null
}

/** Answers `capabilities` questions. */
export class CapabilityAnswers {
  readonly #parts: CapabilityAnswersComponents
  readonly #kept = new BoundedMap<{ readonly bytes: Uint8Array; readonly until: Ms }>(ANSWERS_MAX)

  constructor(components: CapabilityAnswersComponents) {
    this.#parts = components
  }

  /** The signed answer for `peer`; null before the first advert. */
  async for(peer: string): Promise<Uint8Array | null> {
    const { clock, identity, answerFor } = this.#parts
    const kept = this.#kept.get(peer)
    if (kept !== undefined && clock.monotonic() < kept.until) return kept.bytes
    const answer = answerFor(peer)
    if (answer === null) return null
    const iat = Math.floor(clock.now() / 1000)
    const { seq, caps, proxy, version, protocols, bindings } = answer
    const claims = {
      v: VERSION,
      peerId: identity.peerId,
      seq,
      caps,
      ...(proxy === undefined ? {} : { proxy }),
      version,
      protocols,
      bindings
    }
    const jwt = await signJwt({ ...claims, aud: audienceOf(peer), iat, exp: iat + LIFETIME_SECONDS }, identity)
    const bytes = fromString(jwt)
    this.#kept.set(peer, { bytes, until: clock.monotonic() + ANSWER_KEPT_MS })
    return bytes
  }
}

/**
 * Reads what `peer` answered.
 *
 * @param self own PeerId, for whom it must be meant
 * @throws JwtError (INTEGRITY) for what is not signed by that peer for this node, and AdvertError for other claims
 */
export async function readPeerCapabilities(
  peer: string,
  bytes: Uint8Array,
  { self, clock }: { readonly self: string; readonly clock: Clock }
): Promise<PeerCapabilities> {
  const { issuer, claims } = await verifyJwt(textOf(bytes), {
    audience: audienceOf(self),
    issuer: didFromPeerId(peer),
    now: Math.floor(clock.now() / 1000),
    expMaxSeconds: LIFETIME_SECONDS_MAX,
    charactersMax: CAPABILITIES_CHARACTERS_MAX
  })
  demand(claims['v'] === VERSION, 'its version is not known')
  demand(claims['peerId'] === peer, 'peerId is not that of its issuer')
  return { did: issuer, peerId: peer, issuedAt: claims.iat, expires: claims.exp, ...readAnswer(claims, issuer) }
}

function readAnswer({ seq, caps, proxy, version, protocols, bindings }: UnverifiedJwt, issuer: string): OwnAnswer {
  demand(isCount(seq) && seq > 0, 'seq is not a positive integer')
  demand(isShort(version, VERSION_CHARACTERS_MAX), 'version is not a short text')
  demand(isList(protocols, PROTOCOLS_MAX, PROTOCOL_CHARACTERS_MAX), 'protocols are not a few short texts')
  demand(isList(bindings, BINDINGS_MAX, CAPABILITIES_CHARACTERS_MAX), 'bindings are not a few texts')
  return {
    seq,
    caps: readCapabilities(caps, issuer),
    version,
    protocols,
    bindings,
    ...(proxy === undefined ? {} : { proxy: readProxy(proxy) })
  }
}

function readProxy(value: unknown): ProxyLimits {
  demand(typeof value === 'object' && value !== null, 'proxy is not an object')
  demand('maxBytes' in value && 'quotaBytesPerDay' in value && 'maxConcurrent' in value, 'proxy lacks a limit')
  const { maxBytes, quotaBytesPerDay, maxConcurrent } = value
  demand(isCount(maxBytes) && isCount(quotaBytesPerDay) && isCount(maxConcurrent), 'a limit of proxy is not a count')
  return { maxBytes, quotaBytesPerDay, maxConcurrent }
}

function audienceOf(peer: string): string {
  return `${AUDIENCE} ${didFromPeerId(peer)}`
}

function textOf(bytes: Uint8Array): string {
  if (bytes.byteLength > CAPABILITIES_CHARACTERS_MAX) throw new JwtError('size', `it has ${bytes.byteLength} bytes`)
  return toString(bytes, 'latin1')
}

function demand(condition: boolean, why: string): asserts condition {
  if (!condition) throw new JwtError('form', why)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isShort(value: unknown, charactersMax: number): value is string {
  return typeof value === 'string' && value.length <= charactersMax && /^[\x20-\x7e]*$/.test(value)
}

function isList(value: unknown, most: number, charactersMax: number): value is string[] {
  return Array.isArray(value) && value.length <= most && value.every(one => isShort(one, charactersMax))
}
