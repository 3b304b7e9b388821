/**
 * The public swarm of the main host: bootstrap peers and the DHT, as a client, started when they are first needed.
 * In memory only; after a restart the swarm is entered anew.
 */
import type { PeerId, PeerInfo } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { abortable, startDeadline } from '../../lib/deadline.ts'
import type { Ms } from '../../model/units.ts'
import { SourceError } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ContentRouting, ProvidedRoot } from '../../ports/content-routing.ts'
import type { Log } from '../../ports/log.ts'
import type { AbortOptions } from '../../ports/options.ts'
import type { Dht } from './dht.ts'

/** Longest search for providers. A search of the public DHT that finds any has found some within 10 s. */
const SEARCH_BUDGET: Ms = 20_000
/** Longest wait for a first DHT peer once bootstrap peers are being dialled. */
const ENTRY_BUDGET: Ms = 10_000
/** Dial, handshake and identify of one provider. */
const DIAL_BUDGET: Ms = 10_000
/** Providers of one search that are looked at: more may be made up by whoever answers the search. */
const PROVIDERS_MAX = 20
/** Providers of one search that are dialled: a router must not make this node knock at doors all over the net. */
const DIALS_MAX = 10

export type PublicSwarmMode = 'lazy' | boolean

export interface PublicSwarmComponents {
  readonly clock: Clock
  readonly log: Log
  readonly self: string
  readonly isConnected: (peer: string) => boolean
  /** Nobody is connected. */
  readonly isAlone: () => boolean
  /** Resolves when connected and identified. The addresses were told by strangers. */
  readonly dial: (peer: PeerId, addresses: readonly Multiaddr[], options: AbortOptions) => Promise<void>
  /** Dials the bootstrap peers; resolves when each was tried once. */
  readonly bootstrap: () => Promise<void>
  /** Makes the DHT client; absent: there is none. */
  readonly startDht: (() => Promise<Dht>) | undefined
}

export class PublicSwarm implements ContentRouting {
  readonly #parts: PublicSwarmComponents
  readonly #mode: PublicSwarmMode
  readonly #stopping = new AbortController()
  #entry: Promise<void> | undefined
  #dht: Promise<Dht | undefined> | undefined
  #size = (): number => 0

  constructor(components: PublicSwarmComponents, init: { readonly mode: PublicSwarmMode }) {
    this.#parts = components
    this.#mode = init.mode
  }

  /** To be called when the host listens. */
  start(): void {
    if (this.#mode === true) this.wake()
  }

  /** The first public request, or the first public root to provide. Without effect if the swarm runs or is switched off. */
  wake(): void {
    if (this.#mode === false || this.#entry !== undefined || this.#stopping.signal.aborted) return
    this.#parts.log.info({}, 'entering the public swarm')
    this.#entry = this.#parts.bootstrap()
    this.#dht = this.#open()
  }

  /** Whether anybody but the connected peers is or will be asked for providers. */
  get isRouting(): boolean {
    return this.#dht !== undefined && this.#parts.startDht !== undefined && !this.#stopping.signal.aborted
  }

  /** True when a bootstrap peer is needed: the swarm was woken and the DHT knows nobody. */
  get isLonely(): boolean {
    return this.#size() === 0
  }

  /**
   * Looks for providers of a content and connects to some of them. Resolves when the search is over and every dial has
   * ended, whatever came of it; never rejects.
   */
  async connectProviders(cid: CID, options: AbortOptions): Promise<void> {
    using budget = this.#budget(SEARCH_BUDGET, options)
    const dials: Promise<void>[] = []
    try {
      const dht = await this.#entered(budget)
      if (dht !== undefined) await this.#search(dht, cid, dials, budget)
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'a search for providers ended early')
    }
    await Promise.allSettled(dials)
  }

  async provide({ root }: ProvidedRoot, options: AbortOptions): Promise<void> {
    this.wake()
    const dht = await this.#entered(options)
    if (dht === undefined) throw new SourceError('fault', 'no DHT peer can be reached; is there a way to the internet?')
    const taken = await dht.provide(root, options)
    options.signal?.throwIfAborted()
    if (taken === 0) throw new SourceError('fault', 'no DHT peer took the provider record')
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException('the host stops', 'AbortError'))
    const dht = await this.#dht
    await dht?.stop()
  }

  async #open(): Promise<Dht | undefined> {
    try {
      const dht = await this.#parts.startDht?.()
      if (dht !== undefined) this.#size = () => dht.size()
      return dht
    } catch (error) {
      this.#parts.log.error({ err: error }, 'the DHT client could not be started; providers are not looked up')
      return undefined
    }
  }

  async #search(dht: Dht, cid: CID, dials: Promise<void>[], { signal }: AbortOptions): Promise<void> {
    const seen = new Set<string>()
    for await (const provider of dht.providers(cid, { signal })) {
      const id = provider.id.toString()
      if (seen.has(id)) continue
      seen.add(id)
      if (id !== this.#parts.self && !this.#parts.isConnected(id)) dials.push(this.#reach(dht, provider, { signal }))
      if (seen.size >= PROVIDERS_MAX || dials.length >= DIALS_MAX) return
    }
  }

  async #reach(dht: Dht, { id, multiaddrs }: PeerInfo, options: AbortOptions): Promise<void> {
    using budget = this.#budget(DIAL_BUDGET, options)
    try {
      const addresses = multiaddrs.length > 0 ? multiaddrs : await dht.addressesOf(id, budget)
      await this.#parts.dial(id, addresses, budget)
    } catch (error) {
      this.#parts.log.debug({ err: error, peer: id.toString() }, 'a provider could not be reached')
    }
  }

  /** The DHT with somebody in it; undefined when bootstrap has failed, or nobody in it answers in time. */
  async #entered(options: AbortOptions): Promise<Dht | undefined> {
    const dht = await abortable(this.#dht ?? Promise.resolve(undefined), options)
    if (dht === undefined || dht.size() > 0) return dht
    using budget = this.#budget(ENTRY_BUDGET, options)
    const { promise, resolve } = Promise.withResolvers<void>()
    const off = dht.onPeer(resolve)
    try {
      await abortable(Promise.race([promise, this.#unreachable()]), budget)
    } catch {
      options.signal?.throwIfAborted()
    } finally {
      off()
    }
    return dht.size() > 0 ? dht : undefined
  }

  /** Resolves when every bootstrap peer was tried and nobody is connected that might be in the DHT. */
  async #unreachable(): Promise<void> {
    await this.#entry
    if (this.#parts.isAlone()) return
    await new Promise<never>(() => {})
  }

  #budget(ms: Ms, { signal }: AbortOptions): ReturnType<typeof startDeadline> {
    return startDeadline(this.#parts.clock, ms, {
      signal: signal === undefined ? this.#stopping.signal : AbortSignal.any([signal, this.#stopping.signal])
    })
  }
}
