/** A small private DHT on loopback: plain libp2p nodes in server mode that know each other. */
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { connectHosts } from './helia-node.ts'

export interface DhtNet extends AsyncDisposable {
  readonly nodes: readonly Libp2p[]
  /** Where to enter. */
  readonly addresses: readonly string[]
}

async function startDhtServer(): Promise<Libp2p> {
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { inboundConnectionThreshold: 100 },
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true })
    }
  })
}

/** Nodes that are all connected to the first. */
export async function startDhtNet(count: number): Promise<DhtNet> {
  const nodes = await Promise.all(Array.from({ length: count }, startDhtServer))
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('a net has at least one node')
  for (const node of others) await connectHosts(node, first)
  return {
    nodes,
    addresses: nodes.map(node => node.getMultiaddrs()[0]?.toString() ?? ''),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(
        nodes.map(async node => {
          await node.stop()
        })
      )
    }
  }
}
