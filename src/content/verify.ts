/**
 * Verify (fsck): every stored block is read and hashed, and every recorded content is walked for blocks that are not
 * here. The store sets aside what is corrupt; that is all this changes, unless it is asked to repair. Then, and only
 * then, the network is asked. A crash loses the report; what was repaired until the last flush stays.
 */
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { isNodeCid } from '../dag/node.ts'
import { walkDag } from '../dag/walk.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import type { VerifiedBlock } from '../model/block.ts'
import { blockKey, RAW_CODEC, type ContentRef } from '../model/content-id.ts'
import { REALMS, type Realm } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { ProgressOptions, VerifyResult } from '../rpc/services.ts'
import type { Found, Library } from './library.ts'
import { Mend } from './mend.ts'

/** Records read a page. */
const PAGE = 1000
/** Addresses listed of each kind: a disk that lost more is replaced, and the answer stays far below a message. */
const LISTED_MAX = 10_000

export interface VerifierComponents {
  readonly library: Library
  /** Brings here whatever can be had of a content, by the usual stages of its class. Rejects only when cancelled. */
  readonly fetch: (found: Found, options: ProgressOptions) => Promise<void>
}

export interface VerifyRequest {
  /** Absent: every block of every realm, and every recorded content. */
  readonly content?: ContentRef | undefined
  /** Fetch again what is corrupt or missing of recorded contents. */
  readonly repair?: boolean | undefined
}

/** Blocks by key. */
type Blocks = Map<string, CID>

export class Verifier {
  readonly #parts: VerifierComponents

  constructor(components: VerifierComponents) {
    this.#parts = components
  }

  /** @throws NOT_FOUND if the content is not recorded here · INVALID_PARAMS for a path · QUOTA_EXCEEDED during repair */
  async verify({ content, repair = false }: VerifyRequest, options: ProgressOptions): Promise<VerifyResult> {
    const check = new Check(this.#parts, repair, options)
    if (content === undefined) {
      await check.stored()
      for (const found of allRecords(this.#parts.library)) await check.recorded(found)
      await check.forgetDamage()
    } else {
      await check.content(this.#find(content))
    }
    return check.result()
  }

  #find(ref: ContentRef): Found {
    if (ref.path.length > 0) throw new KithError('INVALID_PARAMS', 'only whole contents are verified: name the root without a path')
    const found = this.#parts.library.find(ref)
    if (found === undefined) throw new KithError('NOT_FOUND', 'this content is not recorded here; get fetches it', { attempts: [] })
    return found
  }
}

/** Records may come and go meanwhile: each page is read when it is reached. */
function* allRecords(library: Library): Generator<Found> {
  for (const realm of REALMS) {
    let cursor: string | undefined
    do {
      const page = library.realms[realm].records.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
      for (const record of page.items) yield { realm, record }
      cursor = page.cursor
    } while (cursor !== undefined)
  }
}

/** One run. */
class Check {
  readonly #parts: VerifierComponents
  readonly #repair: boolean
  readonly #options: ProgressOptions
  readonly #turns = new Turns()
  /** Damaged blocks set aside by this run, by realm. */
  readonly #corrupt: Readonly<Record<Realm, Blocks>> = { public: new Map(), cache: new Map(), own: new Map() }
  readonly #missing: Blocks = new Map()
  /** Blocks that a recorded content lacks, or lacked until they were repaired. */
  #bad = 0
  /** Of each realm, as it was told at the beginning. */
  readonly #corruptBefore: Readonly<Record<Realm, number>>
  #checked = 0
  #bytes: Bytes = 0
  #total: Bytes = 0
  #repaired = 0

  constructor(parts: VerifierComponents, repair: boolean, options: ProgressOptions) {
    this.#parts = parts
    this.#repair = repair
    this.#options = options
    const { realms } = parts.library
    this.#corruptBefore = { public: realms.public.corruptCount(), cache: realms.cache.corruptCount(), own: realms.own.corruptCount() }
  }

  result(): VerifyResult {
    const corrupt = new Map(REALMS.flatMap(realm => [...this.#corrupt[realm]]))
    return {
      checkedBlocks: this.#checked,
      corrupt: listed(corrupt),
      missing: listed(this.#missing),
      repaired: this.#repaired
    }
  }

  /** Reads every block of every realm. */
  async stored(): Promise<void> {
    const { realms } = this.#parts.library
    this.#total = REALMS.reduce((sum, realm) => sum + realms[realm].blocks.usage().bytes, 0)
    for (const realm of REALMS) {
      for await (const multihash of realms[realm].blocks.keys(this.#options))
        await this.#read(realm, CID.createV1(RAW_CODEC, decode(multihash)))
    }
  }

  /** Reads every block of one content. */
  async content(found: Found): Promise<void> {
    this.#total = found.record.size
    const realms = found.realm === 'cache' ? (['cache', 'public'] as const) : [found.realm]
    await this.#content(found, async cid => {
      for (const realm of realms) {
        const block = await this.#read(realm, cid)
        if (block !== undefined) return block
      }
      return undefined
    })
  }

  /** Looks for missing blocks of one content; its leaves were read before. */
  async recorded(found: Found): Promise<void> {
    const home = this.#parts.library.home(found.realm)
    await this.#content(found, async cid => (isNodeCid(cid) ? await home.get(cid, this.#options) : await home.has(cid)))
  }

  /**
   * To be called when everything was read: if all that is recorded is whole, and nothing new was found meanwhile, what
   * the disk lost before is needed by nobody.
   */
  async forgetDamage(): Promise<void> {
    if (this.#bad > this.#repaired) return
    const { realms } = this.#parts.library
    for (const realm of REALMS) if (realms[realm].corruptCount() === this.#corruptBefore[realm]) await realms[realm].forgetDamage()
  }

  async #content(found: Found, look: (cid: CID) => Promise<VerifiedBlock | boolean | undefined>): Promise<void> {
    const { realm, record } = found
    const bad: Blocks = new Map()
    const seen = async (cid: CID): Promise<{ cid: CID; block?: VerifiedBlock; isHere: boolean }> => {
      const block = await look(cid)
      return typeof block === 'object' ? { cid, block, isHere: true } : { cid, isHere: block === true }
    }
    for await (const { cid, isHere } of walkDag(record.root, seen, this.#options)) {
      if (!isHere) bad.set(blockKey(cid), cid)
    }
    if (bad.size === 0 || !this.#isStill(found)) return
    this.#bad += bad.size
    for (const [key, cid] of bad) this.#note(realm, key, cid)
    if (this.#repair) this.#repaired += await this.#mend(found, bad)
  }

  /** Removed while it was read: then nothing is missing. */
  #isStill({ realm, record: { root } }: Found): boolean {
    return this.#parts.library.realms[realm].records.get(root) !== undefined
  }

  /** What this run set aside is corrupt, under the address by which the content knows it; all else is missing. */
  #note(realm: Realm, key: string, cid: CID): void {
    const corrupt = this.#corrupt[realm]
    if (corrupt.has(key)) corrupt.set(key, cid)
    else if (this.#missing.size < LISTED_MAX) this.#missing.set(key, cid)
  }

  async #read(realm: Realm, cid: CID): Promise<VerifiedBlock | undefined> {
    await this.#turns.step(this.#options)
    const store = this.#parts.library.realms[realm]
    if (!(await store.blocks.has(cid))) return undefined
    const before = store.corruptCount()
    const block = await store.blocks.get(cid, this.#options)
    // It may have been deleted meanwhile: only what the store set aside is corrupt.
    if (block === undefined && store.corruptCount() === before) return undefined
    this.#checked += 1
    this.#bytes += block?.bytes.byteLength ?? 0
    this.#options.onProgress?.({ bytes: this.#bytes, ...(this.#total === 0 ? {} : { total: Math.max(this.#total, this.#bytes) }) })
    if (block === undefined) this.#corrupt[realm].set(blockKey(cid), cid)
    return block
  }

  /** @returns how many of the bad blocks are back */
  async #mend(found: Found, bad: Blocks): Promise<number> {
    const { library, fetch } = this.#parts
    const { realm, record } = found
    const mend = await Mend.begin(library, { realm, root: record.root, cids: [...bad.values()] })
    await fetch(found, this.#options)
    let repaired = 0
    await mend.end(async store => {
      for await (const cid of this.#putBack(found, store)) if (bad.has(blockKey(cid))) repaired += 1
    })
    return repaired
  }

  /** @returns the blocks that are where they belong, with those that came from elsewhere */
  async *#putBack({ realm, record }: Found, store: (block: VerifiedBlock) => Promise<void>): AsyncGenerator<CID> {
    const { library } = this.#parts
    const home = library.home(realm)
    const anywhere = library.readable(realm === 'own' ? 'private' : 'public')
    // Below a node that was bad, more may have been missing than was known.
    const look = async (cid: CID): Promise<{ cid: CID; block?: VerifiedBlock | undefined; isHome: boolean }> => {
      const isHome = await home.has(cid)
      return { cid, isHome, block: isHome && !isNodeCid(cid) ? undefined : await anywhere.get(cid, this.#options) }
    }
    for await (const { cid, block, isHome } of walkDag(record.root, look, this.#options)) {
      if (!isHome && block !== undefined) await store(block)
      if (isHome || block !== undefined) yield cid
    }
  }
}

function listed(blocks: Blocks): string[] {
  return [...blocks.values()].slice(0, LISTED_MAX).map(String)
}
