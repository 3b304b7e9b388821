/**
 * The gossip half of the Network port: one validator a topic, rates for each who signs, and topics of apps, which come
 * and go. In memory only.
 */
import { TopicValidatorResult, type GossipSub, type GossipsubMessage, type Message, type TopicValidatorFn } from '@libp2p/gossipsub'
import { KithError } from '../../errors.ts'
import { KeyedBuckets } from '../../lib/keyed-buckets.ts'
import { wireTopic } from '../../model/topic.ts'
import type { Ms } from '../../model/units.ts'
import type { AppMessage, AppTopics } from '../../ports/app-topics.ts'
import type { Clock } from '../../ports/clock.ts'
import type { GossipMessage, Network, Validity } from '../../ports/network.ts'
import { GossipDoor } from './gossip-door.ts'
import { GossipStreams, type GossipStreamsComponents } from './gossip-streams.ts'
import { GOSSIP_TOPICS, PAYLOAD_BYTES_MAX } from './gossip-service.ts'

/**
 * What one node may sign, all topics together, whoever passes it on: twice what a Kith node signs for its apps. A message
 * of an app comes once; adverts come every few minutes, updates with each public put.
 */
const SIGNER_BURST = 512
const SIGNER_PER_SECOND = 64
/** Signers remembered; gossip of a whole net passes here. */
const SIGNERS_MAX = 8192
/** How long a topic stays open after something was published to it without joining, and how many do. */
const OPEN_FOR: Ms = 60_000
const OPEN_MAX = 256

const RESULTS: Record<Validity, TopicValidatorResult> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject
}

export interface GossipComponents extends GossipStreamsComponents {}

export interface GossipInit {
  readonly self: string
  /** Told of a peer that sends more than it may. */
  readonly onFlood: (peer: string) => void
}

export class Gossip implements AppTopics {
  readonly bytesMax = PAYLOAD_BYTES_MAX
  readonly #pubsub: GossipSub
  readonly #clock: Clock
  readonly #init: GossipInit
  readonly #door: GossipDoor
  readonly #streams: GossipStreams
  readonly #signers: KeyedBuckets
  readonly #receivers = new Map<string, (message: GossipMessage) => void>()
  /** Topics of apps that were published to and not joined, oldest first: how not to close them. */
  readonly #open = new Map<string, () => void>()
  #isRunning = false
  #onEcho: (topic: string, data: Uint8Array) => void = () => {}

  constructor(components: GossipComponents, init: GossipInit) {
    const { pubsub, clock } = components
    this.#pubsub = pubsub
    this.#clock = clock
    this.#init = init
    this.#door = new GossipDoor({ pubsub, clock }, init)
    this.#streams = new GossipStreams(components)
    this.#signers = new KeyedBuckets({ clock }, { capacity: SIGNER_BURST, perSecond: SIGNER_PER_SECOND, keysMax: SIGNERS_MAX })
    pubsub.addEventListener('gossipsub:message', ({ detail }) => {
      this.#deliver(detail)
    })
  }

  /** To be called when libp2p runs: joins the topics subscribed until now. */
  start(): void {
    this.#isRunning = true
    for (const topic of this.#receivers.keys()) this.#pubsub.subscribe(topic)
  }

  /** To be called before libp2p stops. */
  stop(): void {
    this.#isRunning = false
    this.#streams.stop()
    for (const cancel of this.#open.values()) cancel()
    this.#open.clear()
  }

  /** To be called when a peer is gone. */
  forget(peer: string): void {
    this.#door.forget(peer)
    this.#streams.forget(peer)
  }

  /** Told of messages signed with the own key that this run did not send: an earlier run's, or those of a second node with this key. */
  onEcho(listener: (topic: string, data: Uint8Array) => void): void {
    this.#onEcho = listener
  }

  async send(topic: string, data: Uint8Array): Promise<void> {
    assertKnown(topic)
    await this.#send(topic, data)
  }

  /** A validator that throws counts as `ignore`: a bug here must not cost an honest relay its score. */
  subscribe(topic: string, validate: Parameters<Network['subscribe']>[1], receive: (message: GossipMessage) => void): void {
    assertKnown(topic)
    this.#receivers.set(topic, receive)
    this.#pubsub.topicValidators.set(topic, this.#validator(topic, validate))
    if (this.#isRunning) this.#pubsub.subscribe(topic)
  }

  join(name: string, receive: (message: AppMessage) => void): () => void {
    const topic = wireTopic(name)
    if (this.#receivers.has(topic)) throw new KithError('INTERNAL', 'a topic has one receiver here')
    this.#open.get(topic)?.()
    this.#open.delete(topic)
    this.#receivers.set(topic, receive)
    this.#carry(topic)
    this.#pubsub.subscribe(topic)
    return () => {
      if (this.#receivers.get(topic) !== receive) return
      this.#receivers.delete(topic)
      if (this.#isRunning) this.#pubsub.unsubscribe(topic)
      this.#drop(topic)
    }
  }

  async publish(name: string, data: Uint8Array): Promise<number> {
    const topic = wireTopic(name)
    if (!this.#receivers.has(topic)) this.#openForNow(topic)
    return await this.#send(topic, data)
  }

  async #send(topic: string, data: Uint8Array): Promise<number> {
    if (data.byteLength > PAYLOAD_BYTES_MAX)
      throw new KithError(
        'TOO_LARGE',
        `a gossip message has at most ${PAYLOAD_BYTES_MAX} bytes, this one has ${data.byteLength}; peers would drop it unseen`,
        { limit: PAYLOAD_BYTES_MAX }
      )
    const { recipients } = await this.#pubsub.publish(topic, data)
    return recipients.length
  }

  #openForNow(topic: string): void {
    this.#open.get(topic)?.()
    this.#open.delete(topic)
    const [oldest] = this.#open.keys()
    if (this.#open.size >= OPEN_MAX && oldest !== undefined) this.#close(oldest)
    this.#carry(topic)
    const cancel = this.#clock.after(OPEN_FOR, () => {
      this.#close(topic)
    })
    this.#open.set(topic, cancel)
  }

  #close(topic: string): void {
    this.#open.get(topic)?.()
    this.#open.delete(topic)
    this.#drop(topic)
  }

  /** Whoever listens may be told, and who sends is heard if somebody here listens too. */
  #carry(topic: string): void {
    this.#pubsub.topicValidators.set(
      topic,
      this.#validator(topic, async () => (this.#receivers.has(topic) ? 'accept' : 'ignore'))
    )
    this.#door.open(topic)
  }

  #drop(topic: string): void {
    this.#door.close(topic)
    this.#pubsub.topicValidators.delete(topic)
  }

  #validator(topic: string, validate: Parameters<Network['subscribe']>[1]): TopicValidatorFn {
    return async (via, message) => {
      const read = asGossip(message, via.toString())
      if (read === undefined) return TopicValidatorResult.Reject
      if (read.from === this.#init.self) {
        this.#onEcho(topic, read.data)
        return TopicValidatorResult.Ignore
      }
      if (!this.#signers.take(read.from)) return TopicValidatorResult.Ignore
      return RESULTS[await validate(read)]
    }
  }

  #deliver({ msg, propagationSource }: GossipsubMessage): void {
    const read = asGossip(msg, propagationSource.toString())
    if (read !== undefined && read.from !== this.#init.self) this.#receivers.get(msg.topic)?.(read)
  }
}

function asGossip(message: Message, via: string): GossipMessage | undefined {
  return message.type === 'signed' ? { from: message.from.toString(), via, data: message.data } : undefined
}

function assertKnown(topic: string): void {
  if (!GOSSIP_TOPICS.includes(topic)) throw new KithError('INTERNAL', `the gossip topic ${topic} is not one this host carries`)
}
