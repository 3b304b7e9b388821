/**
 * Gateways that trusted peers name in their adverts, for public content beside those of the configuration. Holds a few,
 * lets go of those whose peer is trusted no longer or says so no longer. In memory only.
 */
import type { Standing } from '../ports/standing.ts'
import type { AdvertDirectory } from './directory.ts'

/** More would only be asked after these have failed. Count. */
const PEER_GATEWAYS_MAX = 4

export interface PeerGatewaysComponents<G> {
  readonly standing: Pick<Standing, 'trustedPeers'>
  readonly directory: Pick<AdvertDirectory, 'ipfsOf'>
  /** Makes a gateway that is reached at public addresses only; throws for a URL that is none. */
  readonly make: (url: string) => G
  readonly stop: (gateway: G) => Promise<void>
}

export class PeerGateways<G> {
  readonly #parts: PeerGatewaysComponents<G>
  /** By URL. */
  readonly #open = new Map<string, G>()

  constructor(components: PeerGatewaysComponents<G>) {
    this.#parts = components
  }

  /** Those of peers that are trusted now. */
  current(): readonly G[] {
    const urls = this.#urls()
    for (const [url, gateway] of this.#open) if (!urls.includes(url)) this.#leave(url, gateway)
    for (const url of urls) if (!this.#open.has(url)) this.#enter(url)
    return [...this.#open.values()]
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(async gateway => await this.#parts.stop(gateway)))
    this.#open.clear()
  }

  #urls(): readonly string[] {
    const { standing, directory } = this.#parts
    const named = standing.trustedPeers().flatMap(peer => directory.ipfsOf(peer)?.publicGateway ?? [])
    return [...new Set(named.filter(isPlainHttps))].slice(0, PEER_GATEWAYS_MAX)
  }

  #enter(url: string): void {
    try {
      this.#open.set(url, this.#parts.make(url))
    } catch {
      // A peer's word that is no gateway; it is looked at again with the next plan, which costs nothing.
    }
  }

  #leave(url: string, gateway: G): void {
    this.#open.delete(url)
    this.#parts.stop(gateway).catch(() => {}) // nobody waits for the last of its connections
  }
}

/** No template: what a peer names gets the usual path, and nothing else of its making into the address. */
function isPlainHttps(url: string): boolean {
  if (!URL.canParse(url) || /[{}]/.test(url)) return false
  const { protocol, username, password, search, hash } = new URL(url)
  return protocol === 'https:' && `${username}${password}${search}${hash}` === ''
}
