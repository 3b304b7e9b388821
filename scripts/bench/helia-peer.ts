/** Reference: a plain Helia with bitswap and its block store on disk, as its documentation sets one up, on loopback. */
import { createReadStream } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { noise } from '@chainsafe/libp2p-noise'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { FsBlockstore } from 'blockstore-fs'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import { serveCalls } from './peer-process.ts'

/** Blocks asked for at once; bitswap hangs beyond 1,024 outstanding wants. */
const BLOCKS_IN_FLIGHT = 256
/** A fetch that takes longer has hung. Milliseconds. */
const FETCH_MS_MAX = 100_000

const directory = await mkTemp()
const helia = await withBitswap(
  withLibp2pLight(createHeliaLight({ blockstore: new FsBlockstore(directory) }), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() }
  })
).start()
const fs = unixfs(helia)

serveCalls({
  address: async () => helia.libp2p.getMultiaddrs()[0]?.toString() ?? '',
  connect: async address => {
    const identified = new Promise(resolve => {
      helia.libp2p.addEventListener('peer:identify', resolve, { once: true })
    })
    await helia.libp2p.dial(multiaddr(address))
    await identified
    return ''
  },
  add: async path => (await fs.addByteStream(createReadStream(path, { highWaterMark: 1024 * 1024 }))).toString(),
  addFolder: async path => (await addFolder(path)).toString(),
  cat: async cid => JSON.stringify(await cat(CID.parse(cid))),
  fetchFolder: async cid => JSON.stringify(await fetchFolder(CID.parse(cid))),
  remove: async () => {
    await helia.stop()
    await rm(directory, { recursive: true, force: true })
    return ''
  }
})

async function mkTemp(): Promise<string> {
  const { mkdtemp } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  return await mkdtemp(join(tmpdir(), 'kith-bench-helia-'))
}

async function addFolder(path: string): Promise<CID> {
  const names = (await readdir(path)).toSorted()
  async function* files(): AsyncGenerator<{ path: string; content: Uint8Array }> {
    for (const name of names) yield { path: `root/${name}`, content: await readFile(join(path, name)) }
  }
  let root: CID | undefined
  for await (const added of fs.addAll(files())) root = added.cid
  if (root === undefined) throw new Error('nothing was added')
  return root
}

async function cat(cid: CID): Promise<{ ms: number; firstMs: number; bytes: number }> {
  const startedAt = performance.now()
  let [bytes, firstMs] = [0, 0]
  for await (const chunk of fs.cat(cid, { signal: AbortSignal.timeout(FETCH_MS_MAX) })) {
    if (bytes === 0) firstMs = performance.now() - startedAt
    bytes += chunk.byteLength
  }
  return { ms: performance.now() - startedAt, firstMs, bytes }
}

async function fetchFolder(cid: CID): Promise<{ ms: number; bytes: number }> {
  const signal = AbortSignal.timeout(FETCH_MS_MAX)
  const startedAt = performance.now()
  let bytes = 0
  const inFlight = new Set<Promise<void>>()
  const fetch = async (leaf: CID): Promise<void> => {
    for await (const chunk of helia.blockstore.get(leaf, { signal })) bytes += chunk.byteLength
  }
  for await (const entry of fs.ls(cid, { signal })) {
    const task = fetch(entry.cid).finally(() => inFlight.delete(task))
    inFlight.add(task)
    if (inFlight.size >= BLOCKS_IN_FLIGHT) await Promise.race(inFlight)
  }
  await Promise.all(inFlight)
  return { ms: performance.now() - startedAt, bytes }
}
