/**
 * All realms of this node as one library: where a content is recorded, and what each reader may see of it.
 * Nothing here talks to the network.
 */
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { concat, fromString } from 'uint8arrays'
import { blockKey, SHA2_256_CODE, type ContentRef } from '../model/content-id.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { REALMS, type PrivacyClass, type Realm } from '../model/privacy.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { ContentRecord, Damage, RealmStore } from '../ports/record-store.ts'
import type { BlockReader, ServedContent } from '../ports/serving.ts'
import { Births } from './block-writer.ts'

export interface Found {
  readonly realm: Realm
  readonly record: ContentRecord
}

/** HMAC-SHA-256 under a secret of this home, so that what is remembered names nothing. */
export type KeyedDigest = (bytes: Uint8Array) => Uint8Array

/** Keeps addresses that stand in for others apart from the digests by which private ones are remembered. */
const STAND_IN = fromString('stands in for ')

/** Private first: where two realms know a root, the stricter one speaks. */
const LOOK_UP_ORDER: readonly Realm[] = ['own', 'public', 'cache']
/** Where the blocks of a record may lie: what was fetched is not stored again if it was put as public before. */
const BLOCKS_OF: Readonly<Record<Realm, readonly Realm[]>> = { own: ['own'], public: ['public'], cache: ['cache', 'public'] }
/** What this node may read for its own user: for public content never a private realm. */
const READABLE: Readonly<Record<PrivacyClass, readonly Realm[]>> = { public: ['public', 'cache'], private: ['own', 'public', 'cache'] }

export class Library {
  readonly realms: Readonly<Record<Realm, RealmStore>>
  /** Puts under way: their blocks are in the store, but not yet acknowledged, so nobody is served them. */
  readonly births: Readonly<Record<Realm, Births>> = { public: new Births(), cache: new Births(), own: new Births() }

  readonly #keyedDigest: KeyedDigest
  readonly #turns = new Map<string, Promise<void>>()

  constructor(components: { readonly realms: Readonly<Record<Realm, RealmStore>>; readonly keyedDigest: KeyedDigest }) {
    this.realms = components.realms
    this.#keyedDigest = components.keyedDigest
  }

  /** What this node notes of a content instead of its address: nobody else can read one out of it. */
  digest(multihash: Uint8Array): Uint8Array {
    return this.#keyedDigest(multihash)
  }

  /** True for a multihash or content hash that was private here once, even if nothing of it is left. */
  wasPrivate(multihash: Uint8Array): boolean {
    return this.realms.own.remembered.has(this.#keyedDigest(multihash))
  }

  async rememberPrivate(multihashes: readonly Uint8Array[]): Promise<void> {
    await this.realms.own.remembered.add(multihashes.map(multihash => this.#keyedDigest(multihash)))
  }

  /**
   * What may be asked in public in place of a root: the root itself, or for what is not public here an address that
   * nobody has and nobody can tell from another.
   */
  async askedAs(root: CID): Promise<CID> {
    if (await this.isOpen(root)) return root
    return CID.createV1(root.code, createDigest(SHA2_256_CODE, this.#keyedDigest(concat([STAND_IN, root.multihash.bytes]))))
  }

  /** False for what is private here, or was and has not been put as public since. */
  async isOpen(root: CID): Promise<boolean> {
    const realm = this.findRoot(root)?.realm ?? (await this.realmOfBlock(root))
    return realm === 'public' || (realm !== 'own' && !this.wasPrivate(root.multihash.bytes))
  }

  find(ref: ContentRef): Found | undefined {
    const { cid, sha256 } = ref
    return this.#first(records => (cid !== null ? records.get(cid) : sha256 !== null ? records.findByHash(sha256) : undefined))
  }

  findRoot(root: CID): Found | undefined {
    return this.#first(records => records.get(root))
  }

  /** What the disk lost, by realm. */
  damage(): (Damage & { readonly realm: Realm })[] {
    return REALMS.map(realm => ({ realm, ...this.realms[realm].damage() }))
  }

  /** The realm that holds a block; private last, because what `public` holds is told to the world already. */
  async realmOfBlock(cid: CID): Promise<Realm | undefined> {
    for (const realm of ['public', 'cache', 'own'] as const) {
      if (await this.realms[realm].blocks.has(cid)) return realm
    }
    return undefined
  }

  /** Whoever writes or removes the record of a root takes turns, so that it never ends up public and private at once. */
  async inTurn<T>(root: CID, work: () => Promise<T>): Promise<T> {
    const key = blockKey(root)
    const before = this.#turns.get(key) ?? Promise.resolve()
    const mine = before.then(work)
    const settled = mine.then(
      () => {},
      () => {}
    )
    this.#turns.set(key, settled)
    try {
      return await mine
    } finally {
      if (this.#turns.get(key) === settled) this.#turns.delete(key)
    }
  }

  /** {@link inTurn} for several roots at once; in one order for all, so that no two wait for each other. */
  async inTurns<T>(roots: readonly CID[], work: () => Promise<T>): Promise<T> {
    const sorted = [...new Map(roots.map(root => [blockKey(root), root]))].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, root]) => root)
    const nested = sorted.reduceRight((inner, root) => async () => await this.inTurn(root, inner), work)
    return await nested()
  }

  /** Where the blocks of what is recorded in a realm belong. */
  home(realm: Realm): BlockReader {
    return this.reader(BLOCKS_OF[realm])
  }

  /** Every block that this node may use for a content of this class. */
  readable(cls: PrivacyClass): BlockReader {
    return this.reader(READABLE[cls])
  }

  /** What this node itself may read for a request of a class: private requests see everything, public ones no private realm. */
  reader(realms: readonly Realm[]): BlockReader {
    return {
      has: async cid => await this.#has(realms, cid),
      get: async (cid, options) => await this.#get(realms, cid, options)
    }
  }

  /** What others may read of these realms: acknowledged content only. */
  served(realms: readonly Realm[]): ServedContent {
    const isServed = (realm: Realm, cid: CID): boolean => !this.realms[realm].withheld.has(cid.multihash.bytes)
    return {
      has: async cid =>
        await this.#has(
          realms.filter(realm => isServed(realm, cid)),
          cid
        ),
      get: async (cid, options) =>
        await this.#get(
          realms.filter(realm => isServed(realm, cid)),
          cid,
          options
        ),
      findByHash: sha256 => this.#first(records => records.findByHash(sha256), realms)?.record,
      record: root => this.#first(records => records.get(root), realms)?.record,
      classOf: async cid => await this.#classOf(realms, cid)
    }
  }

  /** Of what is in one of these realms. Where nothing is recorded, what an open realm holds is open. */
  async #classOf(realms: readonly Realm[], cid: CID): Promise<PrivacyClass> {
    const found = this.#first(
      records => records.get(cid),
      LOOK_UP_ORDER.filter(realm => realms.includes(realm))
    )
    if (found !== undefined) return found.realm === 'own' ? 'private' : 'public'
    const open = realms.filter(realm => realm !== 'own')
    return open.length === realms.length || (await this.#has(open, cid)) ? 'public' : 'private'
  }

  async #has(realms: readonly Realm[], cid: CID): Promise<boolean> {
    for (const realm of realms) {
      if (await this.realms[realm].blocks.has(cid)) return true
    }
    return false
  }

  async #get(realms: readonly Realm[], cid: CID, options: AbortOptions | undefined): Promise<VerifiedBlock | undefined> {
    for (const realm of realms) {
      const block = await this.realms[realm].blocks.get(cid, options)
      if (block !== undefined) return block
    }
    return undefined
  }

  #first(look: (records: RealmStore['records']) => ContentRecord | undefined, realms: readonly Realm[] = LOOK_UP_ORDER): Found | undefined {
    for (const realm of realms) {
      const record = look(this.realms[realm].records)
      if (record !== undefined) return { realm, record }
    }
    return undefined
  }
}
