/**
 * What an asker may see, and behind it this node's own IPFS for what is missing: opened when the first block is, and
 * once. Reads ahead only a little, so that hardly anything is fetched that the asker does not stay to take.
 */
import type { CID } from 'multiformats/cid'
import type { VerifiedBlock } from '../model/block.ts'
import type { PrivacyClass } from '../model/privacy.ts'
import { MIB, type Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Proxied } from '../ports/proxying.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { Rights, ServedContent } from '../ports/serving.ts'
import { limitOf } from './proxy.ts'

/** Read ahead, as a share of what the asker has taken: what it leaves behind is at most so much, and one block. */
const AHEAD_SHARE = 1 / 20
/** Most read ahead, however much was taken. */
const AHEAD_BYTES_MAX: Bytes = 2 * MIB

export class ProxiedView implements ServedContent, Disposable {
  readonly #view: ServedContent
  readonly #open: () => Promise<Proxied | undefined>
  #proxied: Promise<Proxied | undefined> | undefined
  /** The limit that kept this node from fetching, or from fetching on. */
  limit: string | undefined

  constructor(view: ServedContent, open: () => Promise<Proxied | undefined>) {
    this.#view = view
    this.#open = open
  }

  get rights(): Rights | undefined {
    return this.#view.rights
  }

  async has(cid: CID): Promise<boolean> {
    return (await this.#view.has(cid)) || (await this.#behind(async proxied => await proxied.view.has(cid))) === true
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<VerifiedBlock | undefined> {
    return (await this.#view.get(cid, options)) ?? (await this.#behind(async proxied => await proxied.view.get(cid, options)))
  }

  findByHash(sha256: Uint8Array): ContentRecord | undefined {
    return this.#view.findByHash(sha256)
  }

  record(root: CID): ContentRecord | undefined {
    return this.#view.record(root)
  }

  async classOf(cid: CID): Promise<PrivacyClass> {
    return (await this.#view.classOf?.(cid)) ?? 'public'
  }

  ahead(taken: Bytes): Bytes {
    return Math.min(AHEAD_BYTES_MAX, taken * AHEAD_SHARE)
  }

  /** Stops what is being fetched. */
  [Symbol.dispose](): void {
    void this.#proxied?.then(
      proxied => {
        proxied?.[Symbol.dispose]()
      },
      () => {}
    )
  }

  /** A limit makes a block missing, like any other reason not to have it. */
  async #behind<T>(read: (proxied: Proxied) => Promise<T>): Promise<T | undefined> {
    if (this.limit !== undefined) return undefined
    try {
      this.#proxied ??= this.#open()
      const proxied = await this.#proxied
      return proxied === undefined ? undefined : await read(proxied)
    } catch (error) {
      const limit = limitOf(error)
      if (limit === undefined) throw error
      this.limit = limit
      return undefined
    }
  }
}
