/** Gossipsub with its loose defaults closed: what it carries, the limits each peer gets, and how peers are scored. */
import { gossipsub, type GossipSub, type GossipSubComponents, type Message } from '@libp2p/gossipsub'
import { sha256 } from '../../model/sha256.ts'
import { KIB, MIB, type Bytes } from '../../model/units.ts'
import type { Judgement } from './judgement.ts'

/** The topics of the contract. Beside them only topics of apps that somebody here uses are tracked, relayed or delivered. */
export const GOSSIP_TOPICS: readonly string[] = ['kith/adverts/1', 'kith/updates/1', 'kith/pins/1']

/** Largest message a peer may send us: an advert with its 16 KiB filter leaves ample room. */
const MESSAGE_BYTES_MAX: Bytes = 256 * KIB
/** Largest payload published: the envelope (key, signature, topic) takes the rest. */
export const PAYLOAD_BYTES_MAX: Bytes = MESSAGE_BYTES_MAX - 4 * KIB
/** Unsent gossip a slow peer may pile up here. Beyond, libp2p ends the stream: messages are dropped before that, see gossip-streams.ts. */
export const OUTBOUND_BYTES_MAX: Bytes = 4 * MIB
/** What a peer's subscriptions may occupy here: the topics of the contract, and those of apps that this node joined too. */
const TOPIC_BYTES_MAX: Bytes = 64 * KIB
/** Entries read from one frame; an honest heartbeat has a few dozen. */
const RPC_LIMITS = {
  maxSubscriptions: 16,
  maxMessages: 64,
  maxIhaveMessageIDs: 512,
  maxIwantMessageIDs: 512,
  maxIdontwantMessageIDs: 512,
  maxControlMessages: 64,
  maxPeerInfos: 0
}
/**
 * Peers outside the mesh that are told at each heartbeat which messages exist. gossipsub's six lost messages for good in a
 * star of 31 nodes in five runs of five; with a share of all of them, telling costs a node with 500 peers twenty times the messages.
 */
export const ANNOUNCED_PEERS = 24
/** Links of a mesh: as many as usual, but no more than this for long, since each brings every message once more. */
const MESH_PEERS_MAX = 8
/** To say that one has a message costs more than a smaller message does. Bytes. */
const DONT_SEND_MIN: Bytes = 4 * KIB
/** Bytes of a message id: short, because ids are told over and over. */
const MESSAGE_ID_BYTES = 16
const SEQUENCE_BYTES = 8
/**
 * Two rejected messages within a minute and the sender is graylisted (below −80), whatever it had earned; one, and it
 * is told of no messages for a minute. Only what every relay could see is rejected.
 */
const INVALID_MESSAGE_WEIGHT = -50

/**
 * Peers behind one address are punished by gossipsub beyond a handful, because Sybils share addresses. So do the
 * peers of one machine and of one household: loopback and private networks are exempt.
 */
class OwnNetworks extends Set<string> {
  override has(ip: string): boolean {
    return (
      /^(::ffff:)?(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(ip) ||
      ip === '::1' ||
      /^f[cd][0-9a-f]{2}:|^fe80:/i.test(ip)
    )
  }
}

/** P3 (missing deliveries) is off: these topics are too quiet to tell silence from malice. */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.5,
  firstMessageDeliveriesDecay: 0.9,
  firstMessageDeliveriesCap: 10,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: INVALID_MESSAGE_WEIGHT,
  invalidMessageDeliveriesDecay: 0.99
}

/**
 * `floodPublish` stays off: own messages go to the mesh and, while that is small, to D peers in all, which in a
 * small net is everybody and in a large one spares sending each advert three hundred times.
 */
export function gossipService(judgement: Judgement): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    globalSignaturePolicy: 'StrictSign',
    emitSelf: false,
    fallbackToFloodsub: false,
    floodPublish: false,
    doPX: false,
    Dhi: MESH_PEERS_MAX,
    Dlazy: ANNOUNCED_PEERS,
    idontwantMinDataSize: DONT_SEND_MIN,
    gossipFactor: 0,
    msgIdFn: messageId,
    canRelayMessage: false,
    allowPublishToZeroTopicPeers: true,
    allowedTopics: [...GOSSIP_TOPICS],
    maxInboundDataLength: MESSAGE_BYTES_MAX,
    maxOutboundBufferSize: OUTBOUND_BYTES_MAX,
    maxTopicBytesPerPeer: TOPIC_BYTES_MAX,
    decodeRpcLimits: RPC_LIMITS,
    scoreParams: {
      topics: Object.fromEntries(GOSSIP_TOPICS.map(topic => [topic, TOPIC_SCORE])),
      topicScoreCap: 10,
      appSpecificScore: peer => judgement.scoreOf(peer),
      appSpecificWeight: 1,
      IPColocationFactorWhitelist: new OwnNetworks()
    },
    scoreThresholds: { gossipThreshold: -10, publishThreshold: -50, graylistThreshold: -80 }
  })
}

/** What a message is called among peers: part of the SHA-256 of who signed it and his number. */
export function messageId(message: Message): Uint8Array {
  const from = message.type === 'signed' ? message.from.toMultihash().bytes : new Uint8Array()
  const named = new Uint8Array(from.byteLength + SEQUENCE_BYTES)
  named.set(from)
  new DataView(named.buffer).setBigUint64(from.byteLength, message.type === 'signed' ? message.sequenceNumber : 0n)
  return sha256(named).subarray(0, MESSAGE_ID_BYTES)
}
