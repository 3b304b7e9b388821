/**
 * What trusted peers signed to be public: roots, and which root a content hash has. Counts only as long as its signer
 * is trusted. Written within seconds: a crash loses the last of them. Bounded; the oldest goes first.
 */
import { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { hex } from '../model/content-id.ts'
import type { Log } from '../ports/log.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { BoundedMap } from '../lib/bounded-map.ts'
import { PUBLIC_REMEMBERED_MAX } from './limits.ts'
import type { Update } from './update.ts'

/** Roots given for one hash: more than one is a lie of somebody's, or another way to cut it. Count. */
const ROOTS_MAX = 3
/** First bytes of a sha2-256 multihash, hex. */
const SHA2_256_PREFIX = '1220'

interface Known {
  readonly cid: string
  /** Hex. */
  readonly sha256?: string
  /** PeerId of the signer. */
  readonly by: string
  /** Rises with each: the order in which they are forgotten. */
  readonly order: number
}

export interface KnownPublicComponents {
  readonly state: StateStore
  readonly standing: Pick<Standing, 'isTrusted'>
  readonly log: Log
}

export class KnownPublic {
  readonly #parts: KnownPublicComponents
  readonly #table: StateTable<Known>
  /** By multihash of the root, hex, and signer: nobody can change what another said, and each word ends with its signer. */
  readonly #known: BoundedMap<Known>
  /** Keys of {@link #known} by multihash of the root, and by SHA-256; hex. */
  readonly #byRoot = new KeySets()
  readonly #bySha256 = new KeySets()
  #order = 0

  constructor(components: KnownPublicComponents) {
    this.#parts = components
    this.#table = components.state.table('public-updates', readKnown)
    this.#known = new BoundedMap(PUBLIC_REMEMBERED_MAX, key => this.#forget(key))
    for (const [key, known] of [...this.#table.entries()].toSorted(([, a], [, b]) => a.order - b.order)) this.#keep(key, known)
  }

  /** Remembers what `update` says, if its signer is trusted. */
  add({ cid, sha256, peerId }: Update): void {
    if (!this.#parts.standing.isTrusted(peerId)) return
    const key = `${hex(cid.multihash.bytes)} ${peerId}`
    const before = this.#known.get(key)
    const hash = sha256 === undefined ? before?.sha256 : hex(sha256)
    const known: Known = { cid: cid.toString(), by: peerId, order: this.#order + 1, ...(hash === undefined ? {} : { sha256: hash }) }
    if (before !== undefined) this.#unlink(key, before)
    this.#keep(key, known)
    this.#table.note(key, known)
  }

  /** Whether a trusted peer signed that the content with this root, or this hash, is public. */
  isKnownPublic(multihash: Uint8Array): boolean {
    const key = hex(multihash)
    if (this.#found(this.#byRoot.get(key)).length > 0) return true
    return key.startsWith(SHA2_256_PREFIX) && this.#found(this.#bySha256.get(key.slice(SHA2_256_PREFIX.length))).length > 0
  }

  /** Root CIDs trusted peers signed for a content hash, the newest first. */
  rootsFor(sha256: Uint8Array): readonly CID[] {
    const newestFirst = this.#found(this.#bySha256.get(hex(sha256))).toSorted((a, b) => b.order - a.order)
    return [...new Set(newestFirst.map(({ cid }) => cid))].slice(0, ROOTS_MAX).map(cid => CID.parse(cid))
  }

  #found(keys: Iterable<string>): Known[] {
    const all = [...keys].map(key => this.#known.get(key))
    return all.filter(known => known !== undefined).filter(({ by }) => this.#parts.standing.isTrusted(by))
  }

  #keep(key: string, known: Known): void {
    this.#order = Math.max(this.#order, known.order)
    this.#byRoot.add(rootOf(known), key)
    if (known.sha256 !== undefined) this.#bySha256.add(known.sha256, key)
    this.#known.set(key, known)
  }

  #forget(key: string): void {
    const known = this.#table.get(key)
    if (known !== undefined) this.#unlink(key, known)
    this.#table.remove(key).catch((err: unknown) => this.#parts.log.debug({ err }, 'an old update could not be forgotten'))
  }

  #unlink(key: string, known: Known): void {
    this.#byRoot.delete(rootOf(known), key)
    if (known.sha256 !== undefined) this.#bySha256.delete(known.sha256, key)
  }
}

/** Sets of keys by name; empty ones are not kept. */
class KeySets {
  readonly #sets = new Map<string, Set<string>>()

  get(name: string): Iterable<string> {
    return this.#sets.get(name) ?? []
  }

  add(name: string, key: string): void {
    const keys = this.#sets.get(name) ?? new Set()
    this.#sets.set(name, keys.add(key))
  }

  delete(name: string, key: string): void {
    const keys = this.#sets.get(name)
    keys?.delete(key)
    if (keys?.size === 0) this.#sets.delete(name)
  }
}

function rootOf({ cid }: Known): string {
  return hex(CID.parse(cid).multihash.bytes)
}

function readKnown(stored: unknown): Known {
  if (typeof stored === 'object' && stored !== null && 'cid' in stored && 'by' in stored && 'order' in stored) {
    const { cid, by, order } = stored
    const sha256 = 'sha256' in stored ? stored.sha256 : undefined
    if (
      typeof cid === 'string' &&
      typeof by === 'string' &&
      typeof order === 'number' &&
      (sha256 === undefined || typeof sha256 === 'string')
    )
      return { cid, by, order, ...(sha256 === undefined ? {} : { sha256 }) }
  }
  throw new KithError('INTERNAL', 'an update is not stored in a form this version reads')
}
