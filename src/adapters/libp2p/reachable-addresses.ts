/** Which addresses are on the public internet, by their text alone; and where the public swarm is entered. Pure. */
import type { Multiaddr } from '@multiformats/multiaddr'
import { isPublicAddress } from '../../lib/public-address.ts'

/** The well-known peers of IPFS, as Kubo and Helia have them: names that are resolved at each dial, and one fixed address. */
export const PUBLIC_BOOTSTRAP: readonly string[] = [
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb',
  '/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt',
  '/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8',
  '/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ'
]

/**
 * True for a literal IP address of the public internet. A name is none: what it resolves to is decided when it is
 * dialled, by whoever owns the name.
 */
export function isPublic(address: Multiaddr): boolean {
  const [first] = address.getComponents()
  return (first?.name === 'ip4' || first?.name === 'ip6') && first.value !== undefined && isPublicAddress(first.value)
}
