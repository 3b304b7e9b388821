/** What this node does for others over the exchange: who may see what, the server, and fetching from the own IPFS. */
import type { Host } from '../adapters/libp2p/host.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import type { Library } from '../content/library.ts'
import { servingPolicy, type ServingPolicyComponents } from '../content/serving-policy.ts'
import { ProxyQuota } from '../exchange/proxy-quota.ts'
import { Proxy } from '../exchange/proxy.ts'
import { ExchangeServer } from '../exchange/server.ts'
import type { BlockSource } from '../ports/block-source.ts'
import type { People } from './open-people.ts'
import type { Start } from './start.ts'

export interface ServingComponents extends Pick<ServingPolicyComponents, 'shares' | 'advert' | 'capabilities'> {
  readonly library: Library
  readonly host: Host
  readonly people: Pick<People, 'state' | 'standing' | 'estimates'>
}

export interface Serving {
  /** The own IPFS, once it runs: peers with enough access may have content fetched from it. */
  useIpfs(source: BlockSource | undefined): void
}

/** Registered when it returns; the host may listen then. */
export async function openServing({ config, log, parts }: Start, components: ServingComponents): Promise<Serving> {
  const { library, host, people } = components
  const { state, standing, estimates } = people
  const quota = new ProxyQuota({ clock, state })
  await quota.open()
  const askedAs: Library['askedAs'] = async root => await library.askedAs(root)
  const proxy = new Proxy({ clock, log, standing, quota, cache: library.realms.cache.blocks, askedAs }, config.proxy)
  const policy = servingPolicy({ ...components, standing }, config.privacy)
  const server = new ExchangeServer({ network: host, clock, log, policy, standing, estimates, proxy })
  await server.start()
  parts.defer(() => {
    server.stop()
  })
  return {
    useIpfs: source => {
      proxy.useIpfs(source)
    }
  }
}
