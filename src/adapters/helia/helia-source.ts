/**
 * IPFS by an embedded Helia on the node's own libp2p host: bitswap as a source of blocks, and bitswap served from
 * the public realm. Owns the Helia, never the host. Nothing is written here that a crash could lose.
 */
import type { Libp2p } from '@libp2p/interface'
import type { Blockstore } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import { Semaphore } from '../../lib/semaphore.ts'
import type { SkipReason } from '../../model/source.ts'
import type { Ms } from '../../model/units.ts'
import type { BlockSession, BlockSource } from '../../ports/block-source.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { BitswapPeers } from './bitswap-peers.ts'
import { BitswapServer } from './bitswap-server.ts'
import { BitswapSession, type ProviderRouting } from './bitswap-session.ts'
import { bitswapOf } from './bitswap-wire.ts'
import type { BitswapWire } from './bitswap-wire.ts'
import { Outbox } from './outbox.ts'
import { RealmBlockstore } from './realm-blockstore.ts'
import { WantBoard } from './want-board.ts'

/** Blocks one retrieval wants at once: fills a link of 100 MB/s at 100 ms with 1 MiB blocks three times over. */
const SESSION_WANTS_MAX = 32
/** Blocks all retrievals want at once; bitswap peers forget wants beyond 1,024 and the search would hang. */
const WANTS_MAX = 512
/** Wants that wait for a place; 64 retrievals of {@link SESSION_WANTS_MAX} fit twice. */
const WAITING_WANTS_MAX = 4096
/** Streams one peer may open to us at once; each carries one message of at most 4 MiB. */
const INBOUND_STREAMS_MAX = 32

export interface HeliaSourceComponents {
  /** Started; stays running when the source stops. */
  readonly libp2p: Libp2p
  readonly log: Log
  readonly clock: Clock
  /** The public realm: whoever knows a CID gets its block. Nothing else is served. */
  readonly readFrom: Blockstore
  /** The cache realm: where Helia may write. (Retrievals store their blocks themselves, after verifying.) */
  readonly writeTo: Blockstore
  /** Finds providers; absent: only who is connected is asked. */
  readonly routing?: ProviderRouting
}

export interface HeliaSourceInit {
  /** Longest search for one block. Milliseconds. */
  readonly timeout: Ms
}

export interface HeliaSource extends BlockSource, AsyncDisposable {
  readonly stage: 'ipfs'
  /** Peers that can be asked now. */
  connectedBitswapPeers(): number
  /** Tells bitswap that a block has become public, so that peers which wait for it get it. */
  notifyStored(cid: CID): void
  /** Ends running searches and takes bitswap off the host; the host goes on. May be called twice. */
  stop(): Promise<void>
}

/** Starts Helia on `components.libp2p`. Helia is only loaded here: it costs memory and start time. */
export async function startHeliaSource(components: HeliaSourceComponents, init: HeliaSourceInit): Promise<HeliaSource> {
  const helia = await startHelia(components)
  const peers = new BitswapPeers({ host: components.libp2p })
  try {
    const source = new BitswapSource(components, init, {
      wire: bitswapOf(helia),
      peers,
      stopHelia: async () => {
        await helia.stop()
      }
    })
    await peers.start()
    return source
  } catch (error) {
    peers.stop()
    await helia.stop()
    throw error
  }
}

async function startHelia({ libp2p, readFrom, writeTo }: HeliaSourceComponents) {
  const [{ createHeliaLight }, { withBitswap }] = await Promise.all([import('helia'), import('@helia/bitswap')])
  const light = createHeliaLight({ blockstore: new RealmBlockstore({ readFrom, writeTo }) })
  // Helia has no option for a host that exists: `withLibp2p` always makes its own.
  const helia = withBitswap(Object.assign(light, { libp2p }), { maxInboundStreams: INBOUND_STREAMS_MAX })
  return await helia.start()
}

interface Inside {
  readonly wire: BitswapWire
  readonly peers: BitswapPeers
  readonly stopHelia: () => Promise<void>
}

class BitswapSource implements HeliaSource {
  readonly stage = 'ipfs'
  readonly concurrency = SESSION_WANTS_MAX
  readonly #init: HeliaSourceInit
  readonly #inside: Inside
  readonly #clock: Clock
  readonly #routing: ProviderRouting | undefined
  readonly #board = new WantBoard()
  readonly #outbox: Outbox
  readonly #server: BitswapServer
  readonly #wants = new Semaphore({ limit: WANTS_MAX, waitingMax: WAITING_WANTS_MAX, name: 'IPFS block requests' })
  readonly #stop = new AbortController()

  constructor({ clock, log, readFrom, routing }: HeliaSourceComponents, init: HeliaSourceInit, inside: Inside) {
    const { wire, peers } = inside
    const board = this.#board
    this.#init = init
    this.#inside = inside
    this.#clock = clock
    this.#routing = routing
    this.#outbox = new Outbox({
      wire,
      peers,
      clock,
      log,
      failed: (peer, keys) => {
        board.failed(peer, keys)
      }
    })
    this.#server = new BitswapServer({ wire, readFrom, log })
    takeOverServing(wire, this.#server)
    wire.wantList.addEventListener('presence', event => {
      board.presence(event.detail)
    })
    peers.watch({
      joined: peer => {
        board.joined(peer)
      },
      left: peer => {
        this.#left(peer)
      }
    })
  }

  unavailable(): SkipReason | undefined {
    return this.#stop.signal.aborted ? 'off' : undefined
  }

  /** Being asked for a public content is what the public swarm waits for. */
  open(root: CID): BlockSession {
    const { peers } = this.#inside
    const routing = this.#routing
    routing?.wake()
    return new BitswapSession(
      { peers, outbox: this.#outbox, board: this.#board, wants: this.#wants, clock: this.#clock, stopped: this.#stop.signal, routing },
      { root, timeout: this.#init.timeout }
    )
  }

  connectedBitswapPeers(): number {
    return this.#inside.peers.size
  }

  notifyStored(cid: CID): void {
    this.#server.stored(cid)
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#inside.peers.stop()
    for (const search of this.#board.all()) search.stopped()
    this.#outbox.stop()
    this.#server.stop()
    await this.#inside.stopHelia()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #left(peer: string): void {
    this.#outbox.forget(peer)
    this.#board.left(peer)
  }
}

/** The package's event listeners call these methods on the object, so replacing them there is enough. */
function takeOverServing({ peerWantLists }: BitswapWire, server: BitswapServer): void {
  peerWantLists.receiveMessage = (peer, message) => {
    server.receive(peer, message)
  }
  peerWantLists.receivedBlock = async cid => {
    server.stored(cid)
  }
  peerWantLists.peerDisconnected = peer => {
    server.left(peer)
  }
  peerWantLists.stop = () => {
    server.stop()
  }
}
