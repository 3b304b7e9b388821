/** Two or more real hosts on loopback, contents in memory, and a serving policy over them. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { importer, type ImportCandidate } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { startHost, type Host, type HostInit } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { systemRandom } from '../../src/adapters/system/random.ts'
import { ExchangeClient } from '../../src/exchange/client.ts'
import { EXCHANGE_PROTOCOL } from '../../src/exchange/protocol.ts'
import { ExchangeServer, type ExchangeServerInit } from '../../src/exchange/server.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { blockKey, bytesKey } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { DagHead, DagRequest, DagSink } from '../../src/ports/exchange.ts'
import type { ContentRecord } from '../../src/ports/record-store.ts'
import type { AbortOptions } from '../../src/ports/options.ts'
import type { ServedContent, ServingPolicy } from '../../src/ports/serving.ts'
import { silentLog } from '../support/silent-log.ts'

export const LOOPBACK: HostInit = { listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [], peering: [], mdns: false, maxConnections: 300 }

export async function startTestHost(init: Partial<HostInit> = {}, clock: Clock = systemClock): Promise<Host> {
  return await startHost({ log: silentLog, clock, privateKey: await generateKeyPair('Ed25519') }, { ...LOOPBACK, ...init })
}

export function addressOf(host: Host): string {
  const [address] = host.addresses()
  if (address === undefined) throw new Error('the host does not listen')
  return address
}

/** What one node has, in memory. Counts reads; a test may hold them back. */
export class MemoryContent implements ServedContent, ServingPolicy {
  readonly #blocks = new Map<string, VerifiedBlock>()
  readonly #records = new Map<string, ContentRecord>()
  readonly #hashes = new Map<string, ContentRecord>()
  currentAdvert: Uint8Array | null = null
  reads = 0
  /** Awaited before each read. */
  gate: (options: AbortOptions) => Promise<void> = async () => {}

  viewFor(): ServedContent {
    return this
  }
  advert(): Uint8Array | null {
    return this.currentAdvert
  }
  findByHash(hash: Uint8Array): ContentRecord | undefined {
    return this.#hashes.get(bytesKey(hash))
  }
  record(root: CID): ContentRecord | undefined {
    return this.#records.get(blockKey(root))
  }
  async has(cid: CID): Promise<boolean> {
    return this.#blocks.has(blockKey(cid))
  }

  async get(cid: CID, options: AbortOptions = {}): Promise<VerifiedBlock | undefined> {
    this.reads++
    await this.gate(options)
    return this.#blocks.get(blockKey(cid))
  }

  put(block: VerifiedBlock): void {
    this.#blocks.set(blockKey(block.cid), block)
  }
  delete(cid: CID): void {
    this.#blocks.delete(blockKey(cid))
  }

  addRecord(record: ContentRecord): void {
    this.#records.set(blockKey(record.root), record)
    if (record.sha256 !== undefined) this.#hashes.set(bytesKey(record.sha256), record)
  }

  /** Imports a file with a record. */
  async addFile(bytes: Uint8Array, name = 'file.bin'): Promise<CID> {
    const root = await this.import([{ content: bytes }])
    this.addRecord({
      root,
      kind: 'file',
      sha256: sha256(bytes),
      size: bytes.byteLength,
      blocks: 0,
      name,
      contentType: 'application/octet-stream',
      createdAt: 0,
      lastAccess: 0,
      pinned: true
    })
    return root
  }

  async import(files: ImportCandidate[], rawLeafSize?: number): Promise<CID> {
    const store = {
      put: async (cid: CID, bytes: Uint8Array): Promise<CID> => {
        this.put(verifyBlock(cid, bytes))
        return cid
      }
    }
    let root: CID | undefined
    const chunker = rawLeafSize === undefined ? {} : { chunker: fixedChunks(rawLeafSize) }
    for await (const entry of importer(files, store, { profile: 'unixfs-v1-2025', wrapWithDirectory: files.length > 1, ...chunker }))
      root = entry.cid
    if (root === undefined) throw new Error('nothing was imported')
    return root
  }
}

function fixedChunks(size: number) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
    }
  }
}

/** Bytes that differ everywhere, the same at every run. */
export function patterned(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const words = new Uint32Array(bytes.buffer, 0, Math.floor(length / 4))
  let state = length || 1
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    words[i] = state
  }
  return bytes
}

export interface Exchange {
  readonly server: Host
  readonly client: Host
  readonly content: MemoryContent
  readonly service: ExchangeServer
  readonly ask: ExchangeClient
  stop(): Promise<void>
}

/** One node that serves and one that asks, connected. */
export async function startExchange(init: ExchangeServerInit = {}, clock: Clock = systemClock): Promise<Exchange> {
  const [server, client] = await Promise.all([startTestHost(), startTestHost()])
  const content = new MemoryContent()
  const service = new ExchangeServer({ network: server, policy: content, clock, log: silentLog }, init)
  await service.start()
  await client.connect(addressOf(server))
  return {
    server,
    client,
    content,
    service,
    ask: clientOf(client, clock),
    stop: async () => {
      service.stop()
      await Promise.all([client.stop(), server.stop()])
    }
  }
}

export function clientOf(network: Host, clock: Clock = systemClock): ExchangeClient {
  return new ExchangeClient({ network, clock, log: silentLog, random: systemRandom, identity: { did: 'did:key:z6MkTest' } })
}

/**
 * Resolves when an answer is stuck because nobody takes it: all that may be sent is sent, more waits, and `progress`
 * has not grown for many turns of the event loop.
 *
 * @returns the progress
 */
export async function stuck(server: Host, progress: () => number): Promise<number> {
  const isFull = (): boolean =>
    server.libp2p
      .getConnections()
      .flatMap(({ streams }) => streams)
      .filter(({ protocol, writeBufferLength }) => protocol === EXCHANGE_PROTOCOL && writeBufferLength > 0)
      .some(stream => Reflect.get(stream, 'sendWindowCapacity') === 0)
  let last = -1
  for (let quiet = 0; quiet < 200; quiet++) {
    if (progress() !== last || !isFull()) quiet = 0
    last = progress()
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  }
  return last
}

export function dagRequest(more: Partial<DagRequest>): DagRequest {
  return { cid: null, sha256: null, requestId: new Uint8Array(16), ttl: 30, hops: 0, skipNodes: 0, leaves: 'all', ...more }
}

/** Keeps all that arrives. */
export class Collector implements DagSink {
  heads: DagHead[] = []
  readonly nodes: [number, Uint8Array][] = []
  readonly leaves: [number, Uint8Array][] = []
  head(head: DagHead): void {
    this.heads.push(head)
  }
  node(index: number, bytes: Uint8Array): void {
    this.nodes.push([index, bytes])
  }
  leaf(index: number, bytes: Uint8Array): void {
    this.leaves.push([index, bytes])
  }
  get content(): Uint8Array {
    return Buffer.concat(this.leaves.map(([, bytes]) => bytes))
  }
  get leafIndexes(): number[] {
    return this.leaves.map(([index]) => index)
  }
  get nodeIndexes(): number[] {
    return this.nodes.map(([index]) => index)
  }
}

/** Asks for 32 MiB and reads nothing of the answer, which is stuck on its way then. */
export async function neverRead(
  { server, client, content }: Exchange,
  request: (cid: Uint8Array) => Uint8Array[]
): Promise<{ readonly large: CID; readonly reads: number }> {
  const large = await content.addFile(patterned(32 * 1024 * 1024))
  const stream = await client.open(server.self, EXCHANGE_PROTOCOL)
  await stream.write(request(large.bytes))
  return { large, reads: await stuck(server, () => content.reads) }
}
