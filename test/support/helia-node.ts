/** A plain IPFS node that has never heard of Kith: Helia with bitswap on loopback, blocks in memory. */
import { noise } from '@chainsafe/libp2p-noise'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { MemoryBlockstore } from 'blockstore-core'
import { createHeliaLight } from 'helia'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'

// Made anew for each host: libp2p and Helia write the key they draw into what they are given.
const hostOptions = () => ({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() }
})

/** A bare libp2p host on loopback, for adapters that need one. */
export async function startTestHost(): Promise<Libp2p> {
  return await createLibp2p(hostOptions())
}

export interface HeliaNode extends AsyncDisposable {
  readonly libp2p: Libp2p
  readonly blockstore: MemoryBlockstore
  /** Imports as profile unixfs-v1-2025 does; the root CID. */
  add(bytes: Uint8Array): Promise<CID>
  /** The whole content, fetched over bitswap as far as it is not here. */
  cat(cid: CID, options: { readonly signal: AbortSignal }): Promise<Uint8Array>
  connect(to: Libp2p): Promise<void>
}

export async function startHeliaNode(): Promise<HeliaNode> {
  const blockstore = new MemoryBlockstore()
  const helia = await withBitswap(withLibp2pLight(createHeliaLight({ blockstore }), hostOptions())).start()
  const fs = unixfs(helia)
  return {
    libp2p: helia.libp2p,
    blockstore,
    add: async bytes => await fs.addBytes(bytes),
    cat: async (cid, options) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of fs.cat(cid, options)) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
    connect: async to => {
      await connectHosts(helia.libp2p, to)
    },
    [Symbol.asyncDispose]: async () => {
      await helia.stop()
    }
  }
}

/** Dials and waits until both sides know each other's protocols. */
export async function connectHosts(from: Libp2p, to: Libp2p): Promise<void> {
  const identified = Promise.all([identifiedBy(from, to), identifiedBy(to, from)])
  await from.dial(to.getMultiaddrs())
  await identified
}

async function identifiedBy(host: Libp2p, other: Libp2p): Promise<void> {
  await new Promise<void>(resolve => {
    const listen = (event: CustomEvent<{ readonly peerId: { equals(id: unknown): boolean } }>): void => {
      if (!event.detail.peerId.equals(other.peerId)) return
      host.removeEventListener('peer:identify', listen)
      // The registrar hears of it in the same dispatch; topologies are told by the next turn.
      setImmediate(resolve)
    }
    host.addEventListener('peer:identify', listen)
  })
}
