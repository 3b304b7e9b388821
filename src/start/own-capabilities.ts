/** What the configuration lets this node say about itself in its advert. */
import type { OwnCapabilities } from '../adverts/claims.ts'
import { ADDRESS_CHARACTERS_MAX, SWARM_ADDRESSES_MAX } from '../adverts/limits.ts'
import type { Config } from '../config/schema.ts'

/** @param bindings how many bindings it shows */
export function ownCapabilities({ ipfs }: Pick<Config, 'ipfs'>, bindings: number): OwnCapabilities {
  const { type, publicGateway } = ipfs
  const isShort = (text: string): boolean => text.length <= ADDRESS_CHARACTERS_MAX
  // Peers refuse an advert with a longer address, or more of them: what does not fit is left out.
  const swarmAddresses = ipfs.swarmAddresses.filter(isShort).slice(0, SWARM_ADDRESSES_MAX)
  return {
    ipfsNode: {
      enabled: type !== 'gateway-only',
      type,
      ...(publicGateway !== null && isShort(publicGateway) && { publicGateway }),
      ...(swarmAddresses.length > 0 && { swarmAddresses })
    },
    ...(bindings > 0 && { bindings })
  }
}
