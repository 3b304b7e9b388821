/** The outer half of a node: IPFS and gateways. */
import { createGatewaySource, type GatewaySource } from '../adapters/gateway/gateway-source.ts'
import { startHeliaSource, type HeliaSource } from '../adapters/helia/helia-source.ts'
import type { Host } from '../adapters/libp2p/host.ts'
import { toInterfaceBlockstore } from '../adapters/store/interface-blockstore.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { systemRandom as random } from '../adapters/system/random.ts'
import type { Library } from '../content/library.ts'
import type { Start } from './start.ts'

export interface Outside {
  readonly ipfs: HeliaSource | undefined
  readonly gateways: readonly GatewaySource[]
}

/** IPFS and gateways. Bitswap serves the public realm, acknowledged content only, and nothing else. */
export async function openOutside({ config, log, parts }: Start, { library, host }: { library: Library; host: Host }): Promise<Outside> {
  const gateways = config.gateways.map(({ url, timeout }) => createGatewaySource({ clock, log, random }, { url, timeout }))
  parts.defer(async () => {
    await Promise.all(
      gateways.map(async gateway => {
        await gateway.stop()
      })
    )
  })
  if (config.ipfs.type !== 'helia') return { ipfs: undefined, gateways }
  const open = library.served(['public'])
  const blocks = toInterfaceBlockstore({
    write: library.realms.cache.blocks,
    read: [
      {
        has: async cid => await open.has(cid),
        get: async (cid, options) => await open.get(cid, options),
        keys: options => library.realms.public.blocks.keys(options)
      }
    ]
  })
  const ipfs = await startHeliaSource(
    { libp2p: host.libp2p, log, clock, readFrom: blocks, writeTo: blocks },
    { timeout: config.ipfs.timeout }
  )
  parts.defer(async () => {
    await ipfs.stop()
  })
  return { ipfs, gateways }
}
