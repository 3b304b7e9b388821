/**
 * Gossip on the main host: gossipsub with its loose defaults closed, and one validator a topic.
 */
import {
  gossipsub,
  TopicValidatorResult,
  type GossipSub,
  type GossipSubComponents,
  type GossipsubMessage,
  type Message
} from '@libp2p/gossipsub'
import { KithError } from '../../errors.ts'
import { KIB, MIB, type Bytes } from '../../model/units.ts'
import type { GossipMessage, Network, Validity } from '../../ports/network.ts'

/** The topics of the contract. No other topic is tracked, relayed or delivered. */
const GOSSIP_TOPICS: readonly string[] = ['kith/adverts/1', 'kith/updates/1', 'kith/pins/1']

/** Largest message a peer may send us: an advert with its 16 KiB filter leaves ample room. */
const MESSAGE_BYTES_MAX: Bytes = 256 * KIB
/** Largest payload published: the envelope (key, signature, topic) takes the rest. */
const PAYLOAD_BYTES_MAX: Bytes = MESSAGE_BYTES_MAX - 4 * KIB
/** Unsent gossip a slow peer may pile up here before messages to it are dropped. */
const OUTBOUND_BYTES_MAX: Bytes = 4 * MIB
/** What a peer's subscriptions may occupy here; the three topics take some 3 KiB. */
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
 * Share of the peers outside the mesh that are told which messages exist, at each heartbeat. With the usual quarter
 * a star of 31 nodes lost messages for good in five runs of five, with all of them in none.
 */
const ANNOUNCED_SHARE = 1
/** Two rejected messages within a minute or so and the sender is graylisted (below −80). */
const INVALID_MESSAGE_WEIGHT = -20

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
  invalidMessageDeliveriesDecay: 0.97
}

/**
 * `floodPublish` stays off: own messages go to the mesh and, while that is small, to D peers in all, which in a
 * small net is everybody and in a large one spares sending each advert three hundred times.
 */
export function gossipService(): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    globalSignaturePolicy: 'StrictSign',
    emitSelf: false,
    fallbackToFloodsub: false,
    floodPublish: false,
    doPX: false,
    gossipFactor: ANNOUNCED_SHARE,
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
      IPColocationFactorWhitelist: new OwnNetworks()
    },
    scoreThresholds: { gossipThreshold: -10, publishThreshold: -50, graylistThreshold: -80 }
  })
}

const RESULTS: Record<Validity, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

/** The gossip half of the Network port. */
export class Gossip {
  readonly #pubsub: GossipSub
  readonly #self: string
  readonly #receivers = new Map<string, (message: GossipMessage) => void>()
  #started = false
  #onEcho: (topic: string, data: Uint8Array) => void = () => {}

  constructor(pubsub: GossipSub, self: string) {
    this.#pubsub = pubsub
    this.#self = self
    pubsub.addEventListener('gossipsub:message', ({ detail }) => {
      this.#deliver(detail)
    })
  }

  /** To be called when libp2p runs: joins the topics subscribed until now. */
  start(): void {
    this.#started = true
    for (const topic of this.#receivers.keys()) this.#pubsub.subscribe(topic)
  }

  /** Told of messages signed with the own key that this run did not send: an earlier run's, or those of a second node with this key. */
  onEcho(listener: (topic: string, data: Uint8Array) => void): void {
    this.#onEcho = listener
  }

  async publish(topic: string, data: Uint8Array): Promise<void> {
    if (data.byteLength > PAYLOAD_BYTES_MAX)
      throw new KithError(
        'TOO_LARGE',
        `a gossip message has at most ${PAYLOAD_BYTES_MAX} bytes, this one has ${data.byteLength}; peers would drop it unseen`
      )
    assertKnown(topic)
    await this.#pubsub.publish(topic, data)
  }

  /** A validator that throws counts as `ignore`: a bug here must not cost an honest relay its score. */
  subscribe(topic: string, validate: Parameters<Network['subscribe']>[1], receive: (message: GossipMessage) => void): void {
    assertKnown(topic)
    this.#receivers.set(topic, receive)
    this.#pubsub.topicValidators.set(topic, async (via, message) => {
      const read = asGossip(message, via.toString())
      if (read === undefined) return TopicValidatorResult.Reject
      if (read.from === this.#self) {
        this.#onEcho(topic, read.data)
        return TopicValidatorResult.Ignore
      }
      return RESULTS[await validate(read)]
    })
    if (this.#started) this.#pubsub.subscribe(topic)
  }

  #deliver({ msg, propagationSource }: GossipsubMessage): void {
    const read = asGossip(msg, propagationSource.toString())
    if (read !== undefined && read.from !== this.#self) this.#receivers.get(msg.topic)?.(read)
  }
}

function asGossip(message: Message, via: string): GossipMessage | undefined {
  return message.type === 'signed' ? { from: message.from.toString(), via, data: message.data } : undefined
}

function assertKnown(topic: string): void {
  if (!GOSSIP_TOPICS.includes(topic)) throw new KithError('INTERNAL', `the gossip topic ${topic} is not one this host carries`)
}
