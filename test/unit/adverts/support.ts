/** Builders for advert tests: nodes with a real key, adverts signed by them, a log that says nothing. */
import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { encodeAdvert, filterDigest } from '../../../src/adverts/codec.ts'
import { buildFilter } from '../../../src/adverts/filter.ts'
import { encodeFilter } from '../../../src/adverts/filter-codec.ts'
import { rawCid } from '../../../src/model/content-id.ts'
import { didFromPublicKey } from '../../../src/peers/did-key.ts'
import { signJwt } from '../../../src/peers/jwt.ts'
import { STRANGERS } from '../../../src/peers/strangers.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Estimates } from '../../../src/ports/estimates.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import type { Log } from '../../../src/ports/log.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Offence, Standing } from '../../../src/ports/standing.ts'
import type { StateStore } from '../../../src/ports/state-table.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'

export async function identity(seed: number): Promise<Identity> {
  const key = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(seed))
  return {
    peerId: peerIdFromPrivateKey(key).toString(),
    did: didFromPublicKey(key.publicKey.raw),
    sign: async bytes => await key.sign(bytes)
  }
}

export function digest(n: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(String(n)).digest())
}

export function root(n: number): Uint8Array {
  return rawCid(digest(n)).multihash.bytes
}

export function roots(count: number): { root: Uint8Array; sha256: Uint8Array }[] {
  return Array.from({ length: count }, (_, i) => ({ root: root(i), sha256: digest(i) }))
}

export interface AdvertOptions {
  readonly seq?: number
  readonly count?: number
  readonly elements?: readonly Uint8Array[]
  readonly claims?: Record<string, unknown>
  readonly caps?: Record<string, unknown>
  readonly index?: Record<string, unknown>
  /** Salt byte: another one makes another digest. */
  readonly salt?: number
}

/** A valid advert of `node`, except for what `options` spoil. */
export async function advertOf(
  node: Identity,
  clock: Clock,
  options: AdvertOptions = {}
): Promise<{ jwt: string; filter: Uint8Array; head: Uint8Array; message: Uint8Array; seq: number }> {
  const elements = options.elements ?? Array.from({ length: options.count ?? 10 }, (_, i) => digest(i))
  const { filter: built, truncated } = buildFilter(elements, { falsePositiveRate: 0.001, salt: new Uint8Array(8).fill(options.salt ?? 7) })
  const filter = encodeFilter(built)
  const iat = Math.floor(clock.now() / 1000)
  const seq = options.seq ?? clock.now()
  const contentIndex = { digest: filterDigest(filter), bytes: filter.byteLength, count: built.count, truncated, ...options.index }
  const caps = { did: node.did, ipfsNode: { enabled: true, type: 'helia' }, contentIndex, ...options.caps }
  const jwt = await signJwt({ aud: 'kith/adverts/1', iat, exp: iat + 420, seq, peerId: node.peerId, v: 1, caps, ...options.claims }, node)
  return { jwt, filter, head: encodeAdvert({ jwt }), message: encodeAdvert({ jwt, filter }), seq }
}

export function gossip(from: Identity, data: Uint8Array): { from: string; via: string; data: Uint8Array } {
  return { from: from.peerId, via: from.peerId, data }
}

const nothing = (): void => {}
export const silent: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent }

/** Numbers from a counter: never the same bytes twice, the same in every run. */
export function countingRandom(): Random {
  let calls = 0
  return { number: () => 0.5, bytes: length => new Uint8Array(length).fill(++calls) }
}

export interface FakePeople {
  readonly reports: [peer: string, offence: Offence][]
  readonly shunned: Set<string>
  readonly trust: Map<string, number>
  readonly access: Map<string, number>
  readonly hits: Map<string, { yes: number; no: number }>
  readonly state: StateStore
  readonly standing: Standing
  readonly estimates: Estimates
}

/** Standing as tests set it, with every report kept; measured hits as tests count them. */
export function fakePeople(): FakePeople {
  const reports: FakePeople['reports'] = []
  const shunned = new Set<string>()
  const trust = new Map<string, number>()
  const access = new Map<string, number>()
  const hits = new Map<string, { yes: number; no: number }>()
  const standing: Standing = {
    ...STRANGERS,
    accessOf: peer => access.get(peer) ?? 0,
    isTrusted: peer => (access.get(peer) ?? 0) >= 5,
    trustOf: peer => trust.get(peer) ?? access.get(peer) ?? 0,
    isShunned: peer => shunned.has(peer),
    trustedPeers: () => [...access].flatMap(([peer, level]) => (level >= 5 ? [peer] : [])),
    report: (peer, offence) => reports.push([peer, offence])
  }
  const estimates: Estimates = {
    ...UNMEASURED,
    of: peer => ({ ...UNMEASURED.of(peer), hits: { ...(hits.get(peer) ?? { yes: 0, no: 0 }) } }),
    observeClaim: (peer, hit) => {
      const { yes, no } = hits.get(peer) ?? { yes: 0, no: 0 }
      hits.set(peer, hit ? { yes: yes + 1, no } : { yes, no: no + 1 })
    }
  }
  return { reports, shunned, trust, access, hits, state: memoryState(), standing, estimates }
}
