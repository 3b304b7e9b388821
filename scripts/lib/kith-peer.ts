/**
 * A Kith peer in this process, of the real parts: a host, the exchange server, signed adverts. It holds small contents
 * in memory and does as it is told: it may claim what it has not, and send other bytes than were asked for.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { CID } from 'multiformats/cid'
import { startHost, type Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock as clock } from '../../src/adapters/system/clock.ts'
import { encodeAdvert, filterDigest } from '../../src/adverts/codec.ts'
import { buildFilter } from '../../src/adverts/filter.ts'
import { encodeFilter } from '../../src/adverts/filter-codec.ts'
import { ADVERTS_TOPIC, ADVERT_VERSION } from '../../src/adverts/limits.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { blockKey, rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { didFromPublicKey } from '../../src/peers/did-key.ts'
import { signJwt } from '../../src/peers/jwt.ts'
import type { Identity } from '../../src/ports/identity.ts'
import type { Log } from '../../src/ports/log.ts'
import type { AbortOptions } from '../../src/ports/options.ts'
import type { ServedContent } from '../../src/ports/serving.ts'

/** As long as an advert of a daemon is valid. Seconds. */
const ADVERT_SECONDS = 420
const FALSE_POSITIVE_RATE = 0.001
const SALT = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1)
const nothing = (): void => {}
const SILENT: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => SILENT }

export interface KithPeerInit {
  /** Told to others in place of the address listened on. */
  readonly announce?: readonly string[]
}

export class KithPeer implements AsyncDisposable {
  readonly host: Host
  readonly identity: Identity
  /** Corrupt: the bytes it sends are not those that were asked for. */
  isCorrupt = false
  /** Silent: it takes questions and answers none that asks for bytes. */
  isSilent = false
  /** Blocks looked up for others. */
  reads = 0
  readonly #server: ExchangeServer
  readonly #blocks = new Map<string, Uint8Array>()
  readonly #claimed: Uint8Array[] = []
  #advert: Uint8Array | null = null
  #seq = Date.now()

  private constructor(host: Host, identity: Identity) {
    this.host = host
    this.identity = identity
    const view = this.#view()
    const policy = { viewFor: () => view, advert: () => this.#advert }
    this.#server = new ExchangeServer({ network: host, clock, log: SILENT, policy })
  }

  static async start({ announce = [] }: KithPeerInit = {}): Promise<KithPeer> {
    const privateKey = await generateKeyPair('Ed25519')
    const host = await startHost(
      { log: SILENT, clock, privateKey },
      { listen: ['/ip4/127.0.0.1/tcp/0'], announce, bootstrap: [], peering: [], mdns: false, maxConnections: 300 }
    )
    const sign = async (bytes: Uint8Array): Promise<Uint8Array> => await privateKey.sign(bytes)
    const peer = new KithPeer(host, { peerId: host.self, did: didFromPublicKey(privateKey.publicKey.raw), sign })
    await peer.#server.start()
    return peer
  }

  get peerId(): string {
    return this.identity.peerId
  }
  get did(): string {
    return this.identity.did
  }
  /** Where it listens, whatever it announces. */
  get address(): string {
    return `${this.host.listening()[0] ?? ''}/p2p/${this.peerId}`
  }

  /** Holds a content of at most one block. It is claimed with the next {@link advertise}. */
  hold(bytes: Uint8Array): CID {
    const cid = rawCid(sha256(bytes))
    this.#blocks.set(blockKey(cid), bytes)
    this.claim(cid)
    return cid
  }

  /** Says it has this, whether it does or not. */
  claim(cid: CID): void {
    this.#claimed.push(cid.multihash.digest)
  }

  /** Signs an advert of what it claims, for whoever connects and asks. */
  async advertise(): Promise<void> {
    const { filter, truncated } = buildFilter(this.#claimed, { falsePositiveRate: FALSE_POSITIVE_RATE, salt: SALT })
    await this.advertiseFilter(encodeFilter(filter), { count: filter.count, truncated })
  }

  /** Signs an advert with this filter, whatever it is worth. */
  async advertiseFilter(encoded: Uint8Array, index: { readonly count: number; readonly truncated: boolean }): Promise<void> {
    const iat = Math.floor(clock.now() / 1000)
    const contentIndex = { digest: filterDigest(encoded), bytes: encoded.byteLength, ...index }
    const caps = { did: this.did, ipfsNode: { enabled: false, type: 'gateway-only' }, contentIndex }
    const claims = { aud: ADVERTS_TOPIC, iat, exp: iat + ADVERT_SECONDS, seq: ++this.#seq, peerId: this.peerId, v: ADVERT_VERSION, caps }
    this.#advert = encodeAdvert({ jwt: await signJwt(claims, this.identity), filter: encoded })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.stop()
    await this.host.stop()
  }

  #view(): ServedContent {
    return {
      has: async cid => this.#blocks.has(blockKey(cid)),
      get: async (cid, options) => await this.#read(cid, options),
      findByHash: () => undefined,
      record: root => this.#record(root)
    }
  }

  async #read(cid: CID, { signal }: AbortOptions = {}): Promise<VerifiedBlock | undefined> {
    this.reads++
    if (this.isSilent) await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    const bytes = this.#blocks.get(blockKey(cid))
    if (bytes === undefined) return undefined
    const block = verifyBlock(cid, bytes.slice())
    if (this.isCorrupt) block.bytes[0] = (block.bytes[0] ?? 0) ^ 1
    return block
  }

  #record(root: CID): ReturnType<ServedContent['record']> {
    const bytes = this.#blocks.get(blockKey(root))
    if (bytes === undefined) return undefined
    const facts = { kind: 'file', sha256: root.multihash.digest, size: bytes.byteLength, blocks: 1, pinned: true } as const
    return { root, ...facts, createdAt: 0, lastAccess: 0 }
  }
}
