/** The daemon as each caller sees it: whole for an admin, a part of it for a token. */
import { KithError } from '../errors.ts'
import { isAdmin } from './access.ts'
import type { AccessToken, Caller } from './access.ts'
import { Decoys } from './decoy.ts'
import { seesRealm } from './realm-view.ts'
import { scopedContent } from './scoped-content.ts'
import type { ContentFacts, Disown } from './scoped-content.ts'
import { scopedRoute } from './scoped-route.ts'
import { SealedCursors } from './sealed-cursors.ts'
import type { NodeServices, NodeStatus, Services } from './services.ts'

export class ScopedServices {
  readonly #services: Services
  readonly #facts: ContentFacts
  readonly #disown: Disown | undefined
  readonly #decoys = new Decoys()
  readonly #cursors = new SealedCursors()
  readonly #scoped = new Map<AccessToken, Services>()

  constructor(components: { readonly services: Services; readonly facts: ContentFacts; readonly disown?: Disown | undefined }) {
    this.#services = components.services
    this.#facts = components.facts
    this.#disown = components.disown
  }

  /** Nobody gets the whole: only `open` methods let nobody in, and these tell nothing. */
  for(caller: Caller): Services {
    const { token } = caller
    if (token === undefined || isAdmin(caller)) return this.#services
    const known = this.#scoped.get(token)
    if (known !== undefined) return known
    const scoped = this.#scope(token)
    this.#scoped.set(token, scoped)
    return scoped
  }

  #scope(token: AccessToken): Services {
    const { content, node, route } = this.#services
    const parts = { content, facts: this.#facts, disown: this.#disown, decoys: this.#decoys, cursors: this.#cursors }
    return {
      ...this.#services,
      content: scopedContent(parts, token),
      route: scopedRoute(route, parts, token),
      pairing: scopedPairing(this.#services.pairing),
      node: scopedNode(node, token)
    }
  }
}

/** Giving away a single content is `content.share`, which is an admin's: a token might name what it does not see. */
function scopedPairing(pairing: Services['pairing']): Services['pairing'] {
  return {
    ...pairing,
    invite: async params => {
      if (params.content !== undefined)
        throw new KithError(
          'UNAUTHORIZED',
          'an invitation with a content needs the scope admin, as content.share does; leave "content" out'
        )
      return await pairing.invite(params)
    }
  }
}

function scopedNode(node: NodeServices, token: AccessToken): NodeServices {
  return {
    status: async () => scopedStatus(await node.status(), token),
    health: async () => await node.health(),
    version: () => node.version(),
    shutdown: () => node.shutdown(),
    config: () => node.config(),
    setLogLevel: level => node.setLogLevel(level)
  }
}

/** A realm the token does not see looks empty. */
function scopedStatus(status: NodeStatus, token: AccessToken): NodeStatus {
  const empty = { blocks: 0, bytes: 0 }
  const { public: open, cache, own } = status.store
  return {
    ...status,
    store: {
      public: seesRealm(token, 'public') ? open : empty,
      cache: seesRealm(token, 'cache') ? cache : empty,
      own: seesRealm(token, 'own') ? own : empty
    }
  }
}
