/**
 * Fetches public content from this node's own IPFS for peers it trusts enough: never from other peers, from gateways
 * or from another proxy. Every block is verified, kept in the cache if there is room, and counted against the day of
 * the peer. A crash loses nothing but the fetch.
 */
import type { CID } from 'multiformats/cid'
import { isNodeCid, parseNode } from '../dag/node.ts'
import { KithError } from '../errors.ts'
import { startDeadline } from '../lib/deadline.ts'
import { verifyBlock, type VerifiedBlock } from '../model/block.ts'
import { blockKey, bytesKey, isSupportedCid } from '../model/content-id.ts'
import type { Bytes, Ms } from '../model/units.ts'
import { SourceError, type BlockSession, type BlockSource } from '../ports/block-source.ts'
import type { BlockStore } from '../ports/block-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Proxied, Proxy as ProxyPort, ProxyRequest } from '../ports/proxying.ts'
import type { Standing } from '../ports/standing.ts'
import type { ProxyQuota } from './proxy-quota.ts'

/** A request that comes round again within this is not served again. */
const REQUEST_REMEMBERED: Ms = 300_000
/** Requests remembered; each is a key of 24 characters and a time. */
const REQUESTS_MAX = 16_384
/** Once the first block is here: longest wait for another one. */
const STALL: Ms = 30_000

/** The settings a refusal may name, and `ipfs`: there is none to ask; `requestId`: served already. */
export type ProxyLimit = 'proxy.serveMinTrust' | 'proxy.maxBytes' | 'proxy.quotaBytesPerDay' | 'proxy.maxConcurrent' | 'ipfs' | 'requestId'

export interface ProxyComponents {
  readonly clock: Clock
  readonly log: Log
  readonly standing: Pick<Standing, 'accessOf' | 'isShunned'>
  readonly quota: ProxyQuota
  readonly cache: Pick<BlockStore, 'put'>
  /**
   * What is asked for in IPFS: the root itself, or where it is known here as non-public an address that nobody has, so
   * that the asker sees a search that finds nothing, and IPFS never hears of it.
   */
  readonly askedAs: (root: CID) => Promise<CID>
}

export interface ProxyInit {
  readonly serveMinTrust: number
  readonly maxBytes: Bytes
  readonly quotaBytesPerDay: Bytes
  readonly maxConcurrent: number
}

export class Proxy implements ProxyPort {
  readonly #parts: ProxyComponents
  readonly #init: ProxyInit
  #source: BlockSource | undefined
  #running = 0
  /** Requests served, oldest first, and when they may be forgotten. */
  readonly #served = new Map<string, Ms>()

  constructor(components: ProxyComponents, init: ProxyInit) {
    this.#parts = components
    this.#init = init
  }

  /** The own IPFS; without one every request is refused. */
  useIpfs(source: BlockSource | undefined): void {
    this.#source = source
  }

  async open(request: ProxyRequest, options: AbortOptions): Promise<Proxied | undefined> {
    const source = this.#admit(request)
    this.#running++
    const fetch = new ProxyFetch(this.#parts, this.#init, request, () => {
      this.#running--
      this.#parts.quota.settle(request.peer)
    })
    try {
      if (await fetch.begin(source, options)) return fetch
    } catch (error) {
      fetch[Symbol.dispose]()
      throw error
    }
    fetch[Symbol.dispose]()
    return undefined
  }

  /** @throws KithError naming the limit, before anything is looked up */
  #admit({ peer, root, requestId }: ProxyRequest): BlockSource {
    const { standing, quota } = this.#parts
    const { serveMinTrust, quotaBytesPerDay, maxConcurrent } = this.#init
    if (standing.isShunned(peer) || standing.accessOf(peer) < serveMinTrust)
      throw refusal('UNAUTHORIZED', 'proxy.serveMinTrust', 'this node fetches from IPFS only for peers it trusts enough')
    if (this.#source === undefined || this.#source.unavailable() !== undefined || !isSupportedCid(root))
      throw refusal('UNAVAILABLE', 'ipfs', 'this node has no IPFS that could be asked now')
    if (this.#running >= maxConcurrent)
      throw refusal('RATE_LIMITED', 'proxy.maxConcurrent', `${maxConcurrent} contents are being fetched for others already`)
    if (quota.usedToday(peer) >= quotaBytesPerDay)
      throw refusal('QUOTA_EXCEEDED', 'proxy.quotaBytesPerDay', `${quotaBytesPerDay} bytes were fetched for this peer today`)
    if (!this.#isNew(requestId)) throw refusal('RATE_LIMITED', 'requestId', 'this request was served before')
    return this.#source
  }

  #isNew(requestId: Uint8Array): boolean {
    const now = this.#parts.clock.monotonic()
    for (const [oldest, until] of this.#served) {
      if (until > now && this.#served.size < REQUESTS_MAX) break
      this.#served.delete(oldest)
    }
    const key = bytesKey(requestId)
    if (this.#served.has(key)) return false
    this.#served.set(key, now + REQUEST_REMEMBERED)
    return true
  }
}

/** One content being fetched for one peer. */
class ProxyFetch implements Proxied {
  readonly view: Proxied['view'] = {
    has: async cid => this.#root !== undefined && blockKey(cid) === blockKey(this.#root.cid),
    get: async (cid, options) => await this.#get(cid, options ?? {}),
    record: () => undefined,
    findByHash: () => undefined
  }
  readonly #parts: ProxyComponents
  readonly #init: ProxyInit
  readonly #request: ProxyRequest
  readonly #onEnd: () => void
  #source: BlockSource | undefined
  #session: BlockSession | undefined
  #root: VerifiedBlock | undefined
  #fetched: Bytes = 0
  #ended = false

  constructor(parts: ProxyComponents, init: ProxyInit, request: ProxyRequest, onEnd: () => void) {
    this.#parts = parts
    this.#init = init
    this.#request = request
    this.#onEnd = onEnd
  }

  [Symbol.dispose](): void {
    if (this.#ended) return
    this.#ended = true
    this.#session?.close()
    this.#onEnd()
  }

  /** Finds the root within the time of the request. @returns false when IPFS does not have it */
  async begin(source: BlockSource, options: AbortOptions): Promise<boolean> {
    const { clock, askedAs } = this.#parts
    const { root, ttl, view } = this.#request
    this.#source = source
    const asked = await askedAs(root)
    this.#session = source.open(asked)
    using deadline = startDeadline(clock, ttl * 1000, options)
    const block = (await view?.get(asked, deadline)) ?? (await this.#fetch(asked, deadline.signal, () => deadline.remaining()))
    options.signal?.throwIfAborted()
    if (block === undefined || !this.#isWithin(block)) return false
    this.#root = block
    return true
  }

  async #get(cid: CID, options: AbortOptions): Promise<VerifiedBlock | undefined> {
    if (this.#root !== undefined && blockKey(cid) === blockKey(this.#root.cid)) return { ...this.#root, cid }
    const { quota } = this.#parts
    const { maxBytes, quotaBytesPerDay } = this.#init
    if (this.#fetched >= maxBytes) throw tooLarge(maxBytes)
    if (quota.usedToday(this.#request.peer) >= quotaBytesPerDay)
      throw refusal('QUOTA_EXCEEDED', 'proxy.quotaBytesPerDay', 'what may be fetched for this peer in a day is used up')
    using deadline = startDeadline(this.#parts.clock, STALL, options)
    const block = await this.#fetch(cid, deadline.signal, () => deadline.remaining())
    options.signal?.throwIfAborted()
    return block
  }

  /** @returns the verified block, stored and counted; undefined for every way of not getting it */
  async #fetch(cid: CID, signal: AbortSignal, remaining: () => Ms): Promise<VerifiedBlock | undefined> {
    let bytes: Uint8Array
    try {
      if (this.#session === undefined || this.#ended) return undefined
      bytes = await this.#session.get(cid, { signal, remaining })
    } catch (error) {
      if (error instanceof SourceError || signal.aborted) return undefined
      throw error
    }
    await this.#parts.quota.book(this.#request.peer, bytes.byteLength)
    this.#fetched += bytes.byteLength
    const block = this.#verified(cid, bytes)
    if (block !== undefined) await this.#keep(block)
    return block
  }

  #verified(cid: CID, bytes: Uint8Array): VerifiedBlock | undefined {
    try {
      return verifyBlock(cid, bytes)
    } catch (error) {
      if (!(error instanceof KithError)) throw error
      this.#source?.report?.('corrupt')
      return undefined
    }
  }

  /** A full cache keeps nobody from being served. */
  async #keep(block: VerifiedBlock): Promise<void> {
    try {
      await this.#parts.cache.put(block)
    } catch (error) {
      if (!(error instanceof KithError) || error.code !== 'QUOTA_EXCEEDED') throw error
      this.#parts.log.debug({ err: error }, 'the cache is full: what is fetched for a peer is passed on and not kept')
    }
  }

  /**
   * By what a file says of its size; a directory is measured as it comes. False for bytes that are no node: nobody can read those.
   *
   * @throws KithError (proxy.maxBytes)
   */
  #isWithin(root: VerifiedBlock): boolean {
    const { maxBytes } = this.#init
    const size = isNodeCid(root.cid) ? declaredSize(root) : root.bytes.byteLength
    if (size !== undefined && size > maxBytes) throw tooLarge(maxBytes)
    return size !== undefined
  }
}

/** Undefined for what no importer makes. */
function declaredSize(root: VerifiedBlock): Bytes | undefined {
  try {
    const node = parseNode(root)
    return node.kind === 'file' ? node.size : root.bytes.byteLength
  } catch (error) {
    if (error instanceof KithError) return undefined
    throw error
  }
}

/** The limit a refusal names; undefined for other errors. */
export function limitOf(error: unknown): string | undefined {
  const limit = error instanceof KithError ? error.data['limit'] : undefined
  return typeof limit === 'string' ? limit : undefined
}

function tooLarge(maxBytes: Bytes): KithError {
  return refusal('TOO_LARGE', 'proxy.maxBytes', `this node fetches at most ${maxBytes} bytes of a content for others`)
}

function refusal(
  code: 'UNAUTHORIZED' | 'UNAVAILABLE' | 'RATE_LIMITED' | 'QUOTA_EXCEEDED' | 'TOO_LARGE',
  limit: ProxyLimit,
  message: string
): KithError {
  return new KithError(code, `${message} (${limit})`, { limit })
}
