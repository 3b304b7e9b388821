/** The libp2p node of the main host: which parts it has and the limits each gets. It dials nobody by itself. */
import type { AutoNATComponents } from '@libp2p/autonat'
import type { CircuitRelayServerComponents } from '@libp2p/circuit-relay-v2'
import type { GossipSub } from '@libp2p/gossipsub'
import { identify, identifyPush, type Identify, type IdentifyPush } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PeerDiscovery, PeerInfo, PrivateKey } from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { mdns, type MulticastDNSComponents } from '@libp2p/mdns'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { KIB, MIB, type Bytes, type Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import { gatheredNoise } from './gathered-noise.ts'
import { gossipService } from './gossip-service.ts'
import type { Judgement } from './judgement.ts'
import { SIGN_OF_LIFE_INTERVAL, type Liveness } from './liveness.ts'
import { reachabilityService, type ReachabilityService } from './reachability.ts'
import type { RelayServer } from './relay-server.ts'
import type { RelayTransport } from './relay-transport.ts'
import { fittedWindows } from './windows.ts'

/** Streams one peer may have open here, all protocols together; its own exchange uses eight of them. */
const INBOUND_STREAMS_MAX = 64
/** Streams open to one peer. */
const OUTBOUND_STREAMS_MAX = 256
/** First receive window of a stream, that of the protocol: a larger one on one side only breaks the connection. */
const STREAM_WINDOW_FIRST: Bytes = 256 * KIB
/**
 * Largest receive window of a stream: 40 MB/s over 100 ms. The read buffer must not be smaller, or a paused stream
 * overflows and is aborted.
 */
const STREAM_WINDOW_MAX: Bytes = 4 * MIB
/** Unsent bytes of one stream before it is aborted: bitswap writes messages of 4 MiB without looking. */
const STREAM_UNSENT_MAX: Bytes = 16 * MIB
/** Connections one address may open in a second. libp2p's five resets the peers of a whole machine or household. */
const INBOUND_CONNECTIONS_PER_SECOND = 50
/**
 * Bytes a socket holds before its writer waits. Node's own 64 KiB is one message of noise, so that every message
 * would wait for the one before; libp2p's types do not know the option, but pass it on.
 */
const SOCKET = { noDelay: true, highWaterMark: 256 * KIB }
/** Handshakes under way at once. */
const PENDING_CONNECTIONS_MAX = 32
/** Time for a stranger to finish its handshake. */
const UPGRADE_BUDGET: Ms = 10_000
/** Connections dialled at once, and dials that wait: a DHT query asks for some thirty. */
const DIALS_MAX = 50
const DIALS_WAITING_MAX = 500
/** Identify streams a peer may have open here; it needs one, and one of each push. */
const IDENTIFY_STREAMS_MAX = 2
/**
 * Pings under way on a connection, each way: those that end count until they are closed. With libp2p's one of ours, an
 * operator's ping would now and then be refused.
 */
const PING_STREAMS_MAX = 8

export interface HostServices extends Record<string, unknown> {
  readonly identify: Identify
  readonly identifyPush: IdentifyPush
  readonly ping: Ping
  readonly pubsub: GossipSub
  readonly reachability: ReachabilityService
  readonly relay: RelayServer
  readonly inside: Inside
}

/** What libp2p gives its services, kept for those that are made later. */
interface Inside {
  readonly components: KadDHTComponents & AutoNATComponents
}

/** Resolves names; libp2p's own asks the system and, for TXT records, the system's name servers. */
export type NameService = NonNullable<NonNullable<Parameters<typeof createLibp2p>[0]>['dns']>

interface Libp2pInit {
  readonly clock: Clock
  readonly privateKey: PrivateKey
  readonly listen: readonly string[]
  readonly maxConnections: number
  /** Addresses told to others in place of those listened on; empty: those. */
  readonly announce: readonly string[]
  readonly gater: ConnectionGater
  readonly judgement: Judgement
  readonly liveness: Liveness
  readonly relayTransport: RelayTransport
  readonly relayServer: (components: CircuitRelayServerComponents) => RelayServer
  /** Called when somebody connects with this host's own key. */
  readonly onOwnKey: () => void
  readonly dns?: NameService | undefined
  /** Called with what mDNS finds; absent: mDNS is off. */
  readonly onFound?: ((found: PeerInfo) => void) | undefined
}

/** Made, not started. */
export async function makeLibp2p(init: Libp2pInit): Promise<Libp2p<HostServices>> {
  const { onFound } = init
  return await createLibp2p<HostServices>({
    start: false,
    privateKey: init.privateKey,
    addresses: { listen: [...init.listen], announce: [...init.announce] },
    connectionGater: init.gater,
    ...(init.dns === undefined ? {} : { dns: init.dns }),
    transports: [tcp({ dialOpts: SOCKET, listenOpts: SOCKET }), components => init.relayTransport.make(components)],
    connectionEncrypters: [
      gatheredNoise({
        onOwnKey: init.onOwnKey,
        onLine: line => {
          init.liveness.watch(line)
        }
      })
    ],
    streamMuxers: [
      fittedWindows(
        yamux({
          maxInboundStreams: INBOUND_STREAMS_MAX,
          maxOutboundStreams: OUTBOUND_STREAMS_MAX,
          keepAliveInterval: SIGN_OF_LIFE_INTERVAL,
          streamOptions: {
            maxStreamWindowSize: STREAM_WINDOW_FIRST,
            maxReadBufferLength: STREAM_WINDOW_MAX,
            maxWriteBufferLength: STREAM_UNSENT_MAX
          }
        }),
        init,
        { least: STREAM_WINDOW_FIRST, most: STREAM_WINDOW_MAX }
      )
    ],
    connectionManager: {
      maxConnections: init.maxConnections,
      inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: PENDING_CONNECTIONS_MAX,
      inboundUpgradeTimeout: UPGRADE_BUDGET,
      maxParallelDials: DIALS_MAX,
      maxDialQueueLength: DIALS_WAITING_MAX
    },
    // It hangs up on whoever does not answer a ping in time, though the answer waits behind a transfer.
    connectionMonitor: { enabled: false },
    peerDiscovery: onFound === undefined ? [] : [components => discoverLan(components, onFound)],
    services: {
      identify: identify({ maxInboundStreams: IDENTIFY_STREAMS_MAX }),
      identifyPush: identifyPush({ maxInboundStreams: IDENTIFY_STREAMS_MAX }),
      ping: ping({ maxInboundStreams: PING_STREAMS_MAX, maxOutboundStreams: PING_STREAMS_MAX }),
      pubsub: gossipService(init.judgement),
      reachability: reachabilityService(),
      relay: init.relayServer,
      inside: components => ({ components })
    }
  })
}

/** libp2p only remembers what discovery finds. The host dials it, and nothing else that enters the peer store. */
function discoverLan(components: MulticastDNSComponents, onFound: (found: PeerInfo) => void): PeerDiscovery {
  const discovery = mdns()(components)
  discovery.addEventListener('peer', ({ detail }) => {
    onFound(detail)
  })
  return discovery
}
