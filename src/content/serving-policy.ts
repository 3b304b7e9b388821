/**
 * Who may read what over the exchange. Rights come first: they choose realms, and the view made of them knows no
 * other store. So whatever is asked, a realm without rights is not even looked into, and what lies there and what
 * does not exist are answered by the very same steps.
 */
import type { Realm } from '../model/privacy.ts'
import type { Rights, ServedContent, ServingPolicy, Shares } from '../ports/serving.ts'
import type { Standing } from '../ports/standing.ts'
import { GrantedBlocks, grantedView } from './granted-view.ts'
import type { Library } from './library.ts'

export interface ServingPolicyComponents {
  readonly library: Library
  readonly standing: Standing
  /** Single contents given to peers; absent: none are. */
  readonly shares?: Shares
  readonly advert: () => Uint8Array | null
  readonly capabilities?: (peer: string) => Promise<Uint8Array>
}

export interface ServingPolicyInit {
  /** `privacy.serveFetched`. */
  readonly serveFetched: 'trusted' | 'anyone'
}

/** For who is shunned: nothing exists, whatever is asked. */
const NOTHING: ServedContent = {
  has: async () => false,
  get: async () => undefined,
  findByHash: () => undefined,
  record: () => undefined,
  rights: { scope: 'nothing', rank: 0 }
}
const EVERYBODY: Rights = { scope: 'everybody', rank: 1 }
const TRUSTED: Rights = { scope: 'trusted', rank: 2 }

export function servingPolicy(components: ServingPolicyComponents, { serveFetched }: ServingPolicyInit): ServingPolicy {
  const { library, standing, shares, advert, capabilities } = components
  const open: readonly Realm[] = serveFetched === 'anyone' ? ['public', 'cache'] : ['public']
  const everybody: ServedContent = {
    ...library.served(open),
    open: openView(library, open, { scope: 'open to everybody', rank: EVERYBODY.rank }),
    rights: EVERYBODY
  }
  const trusted: ServedContent = {
    ...library.served(['own', 'public', 'cache']),
    open: openView(library, ['public', 'cache'], { scope: 'open to trusted', rank: TRUSTED.rank }),
    rights: TRUSTED
  }
  const below = new GrantedBlocks(trusted)
  return {
    viewFor: peer => {
      if (standing.isShunned(peer)) return NOTHING
      if (standing.isTrusted(peer)) return trusted
      const roots = shares?.grantsOf(peer) ?? []
      if (shares === undefined || roots.length === 0) return everybody
      return grantedView({ peer, everybody, whole: trusted, below, roots, mayHave: root => shares.mayHave(peer, root) })
    },
    advert: peer => (standing.isShunned(peer) ? null : advert()),
    ...(capabilities === undefined
      ? {}
      : { capabilities: async (peer: string) => (standing.isShunned(peer) ? null : await capabilities(peer)) }),
    onChange: listener => standing.onChange(listener)
  }
}

/** Single blocks are judged by the realm they lie in: what is public may have one in common with what is not. */
function openView(library: Library, realms: readonly Realm[], rights: Rights): ServedContent {
  const view = library.served(realms)
  return { ...view, has: async cid => (await view.has(cid)) && (await library.isOpen(cid)), rights }
}
