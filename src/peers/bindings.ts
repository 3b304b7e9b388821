/**
 * Bindings: signed statements by which another DID (a person's) speaks for a node. Holds those this node shows and
 * those its peers showed, verified. In memory: own ones are read from the home at the start, those of peers are
 * shown anew when they connect.
 */
import type { Clock } from '../ports/clock.ts'
import type { DidResolver } from '../ports/did-resolver.ts'
import type { Identity } from '../ports/identity.ts'
import type { AbortOptions } from '../ports/options.ts'
import { didFromPeerId } from './did-key.ts'
import { checkJwt, JwtError, verifyJwt, type UnverifiedJwt, type VerifyJwtOptions } from './jwt.ts'
import { BINDING_AUDIENCE, BINDING_CHARACTERS_MAX, BINDING_LIFETIME_SECONDS_MAX } from './sign-binding.ts'

/** DIDs that speak for one node: a person, perhaps two, and an organisation. Count. */
export const BINDINGS_MAX = 4
/** Peers whose bindings are remembered: as many as adverts. Count. */
const PEERS_MAX = 1024

export interface Binding {
  /** The DID that speaks for the node. */
  readonly did: string
  /** Unix seconds. */
  readonly expires: number
  readonly jwt: string
}

export interface BindingsComponents {
  readonly clock: Clock
  readonly identity: Pick<Identity, 'peerId'>
  /** For persons whose DID is not a did:key. Without it only did:key can bind. */
  readonly resolver?: DidResolver
  /** Told when other DIDs speak for a peer than before; when a binding merely ends, nobody is told. */
  readonly onChange?: (peer: string) => void
}

export class Bindings {
  readonly #parts: BindingsComponents
  readonly #byPeer = new Map<string, readonly Binding[]>()

  constructor(components: BindingsComponents) {
    this.#parts = components
  }

  /** Bindings this node shows, as tokens. */
  own(): readonly string[] {
    return this.ownBindings().map(({ jwt }) => jwt)
  }

  /** Bindings this node shows. */
  ownBindings(): readonly Binding[] {
    return this.#valid(this.#parts.identity.peerId)
  }

  /**
   * Takes a binding of this node, for others to check. The signature is looked at where that needs nobody else.
   *
   * @throws JwtError saying what is wrong
   */
  async addOwn(jwt: string): Promise<Binding> {
    const { peerId } = this.#parts.identity
    const claims = checkJwt(jwt, this.#rules(), 'any')
    const binding = claims.iss.startsWith('did:key:') ? await this.#verify(peerId, jwt, {}) : this.#bound(peerId, jwt, claims)
    this.#keep(peerId, [...this.#valid(peerId).filter(({ did }) => did !== binding.did), binding])
    return binding
  }

  /** What a peer shows replaces what it showed before; what does not verify is left out. */
  async take(peer: string, jwts: readonly string[], options: AbortOptions = {}): Promise<readonly Binding[]> {
    const found = await Promise.all(
      jwts.slice(0, BINDINGS_MAX).map(async jwt => await this.#verify(peer, jwt, options).catch(() => undefined))
    )
    const before = this.boundDids(peer).join(' ')
    this.#keep(
      peer,
      found.filter(binding => binding !== undefined)
    )
    if (this.boundDids(peer).join(' ') !== before) this.#parts.onChange?.(peer)
    return this.#valid(peer)
  }

  /** DIDs that speak for a peer now, beside its own. */
  boundDids(peer: string): readonly string[] {
    return this.#valid(peer).map(({ did }) => did)
  }

  /** Peers for which a DID speaks now. */
  boundPeers(did: string): readonly string[] {
    return [...this.#byPeer.keys()].filter(peer => peer !== this.#parts.identity.peerId && this.boundDids(peer).includes(did))
  }

  /** Whether `did` is the peer's own, or speaks for it. */
  speaksFor(did: string, peer: string): boolean {
    return did === didFromPeerId(peer) || this.boundDids(peer).includes(did)
  }

  #valid(peer: string): readonly Binding[] {
    const now = this.#parts.clock.now() / 1000
    return (this.#byPeer.get(peer) ?? []).filter(({ expires }) => now < expires)
  }

  #keep(peer: string, bindings: readonly Binding[]): void {
    this.#byPeer.delete(peer)
    if (bindings.length > 0) this.#byPeer.set(peer, bindings.slice(-BINDINGS_MAX))
    const oldest = [...this.#byPeer.keys()].find(one => one !== this.#parts.identity.peerId)
    if (this.#byPeer.size > PEERS_MAX && oldest !== undefined) this.#byPeer.delete(oldest)
  }

  async #verify(peer: string, jwt: string, options: AbortOptions): Promise<Binding> {
    const { resolver } = this.#parts
    const { claims } = await verifyJwt(jwt, { ...this.#rules(), ...(resolver === undefined ? {} : { resolver }), ...options })
    return this.#bound(peer, jwt, claims)
  }

  #rules(): VerifyJwtOptions {
    return {
      audience: BINDING_AUDIENCE,
      now: Math.floor(this.#parts.clock.now() / 1000),
      expMaxSeconds: BINDING_LIFETIME_SECONDS_MAX,
      charactersMax: BINDING_CHARACTERS_MAX
    }
  }

  #bound(peer: string, jwt: string, { iss, sub, exp }: UnverifiedJwt): Binding {
    if (sub !== didFromPeerId(peer)) throw new JwtError('form', 'it binds another node')
    return { did: iss, expires: exp, jwt }
  }
}
