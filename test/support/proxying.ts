/** An exchange server that fetches for others through a fake IPFS. */
import type { Library } from '../../src/content/library.ts'
import { servingPolicy } from '../../src/content/serving-policy.ts'
import { ProxyQuota } from '../../src/exchange/proxy-quota.ts'
import { Proxy, type ProxyInit } from '../../src/exchange/proxy.ts'
import { MIB } from '../../src/model/units.ts'
import type { StateStore } from '../../src/ports/state-table.ts'
import type { FakeIpfs } from './fake-ipfs.ts'
import type { FakeStanding } from './fake-standing.ts'
import { rawExchange, type RawExchange } from './raw-exchange.ts'
import { silentLog } from './silent-log.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface ProxyingParts {
  readonly library: Library
  readonly ipfs: FakeIpfs
  readonly standing: FakeStanding
  readonly state: StateStore
  readonly clock: VirtualClock
}

export async function startProxying(
  { library, ipfs, standing, state, clock }: ProxyingParts,
  init: Partial<ProxyInit> = {}
): Promise<RawExchange> {
  const quota = new ProxyQuota({ clock, state })
  await quota.open()
  const cache = library.realms.cache.blocks
  const proxy = new Proxy(
    { clock, log: silentLog, standing, quota, cache, askedAs: async root => await library.askedAs(root) },
    { serveMinTrust: 5, maxBytes: 100 * MIB, quotaBytesPerDay: 1024 * MIB, maxConcurrent: 4, ...init }
  )
  proxy.useIpfs(ipfs)
  const policy = servingPolicy({ library, standing, advert: () => null }, { serveFetched: 'trusted' })
  return await rawExchange({ policy, standing, proxy, clock })
}
