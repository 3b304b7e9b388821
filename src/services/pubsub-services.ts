/**
 * Topics of apps: one place on the network for each topic, shared by all connections of this node that listen to it.
 * What one app publishes the others here hear too. In memory only.
 */
import { KithError } from '../errors.ts'
import { TokenBucket } from '../lib/token-bucket.ts'
import { wireTopic } from '../model/topic.ts'
import type { AppTopics } from '../ports/app-topics.ts'
import type { Clock } from '../ports/clock.ts'
import type { Services } from '../rpc/services.ts'

/** Topics joined at once, all connections together: each is a mesh of its own with a heartbeat a second. */
const TOPICS_MAX = 256
/** What this node publishes for its apps: half of what other nodes take of one signer, so that nothing is lost there. */
const PUBLISH_BURST = 256
const PUBLISH_PER_SECOND = 32

export interface PubsubComponents {
  readonly topics: AppTopics
  readonly clock: Clock
  readonly self: string
  readonly didOf: (peer: string) => string
}

type PubsubServices = Services['pubsub']
type Receive = Parameters<PubsubServices['subscribe']>[1]

interface Listener {
  readonly receive: Receive
  /** The connection it belongs to. */
  readonly owner: object | undefined
}

interface Joined {
  readonly listeners: Set<Listener>
  readonly leave: () => void
}

export function pubsubServices({ topics, clock, self, didOf }: PubsubComponents): PubsubServices {
  const joined = new Map<string, Joined>()
  const rate = new TokenBucket({ clock }, { capacity: PUBLISH_BURST, perSecond: PUBLISH_PER_SECOND })

  const tell = (topic: string, from: string, data: Uint8Array, sender?: object): void => {
    const message = { from, did: didOf(from), data }
    for (const { receive, owner } of joined.get(topic)?.listeners ?? []) if (owner === undefined || owner !== sender) receive(message)
  }

  const join = (topic: string): Joined => {
    if (joined.size >= TOPICS_MAX)
      throw new KithError('RATE_LIMITED', `this node listens to ${TOPICS_MAX} topics already; end a subscription first`, {
        limit: TOPICS_MAX
      })
    const leave = topics.join(topic, ({ from, data }) => {
      tell(topic, from, data)
    })
    const made = { listeners: new Set<Listener>(), leave }
    joined.set(topic, made)
    return made
  }

  return {
    publish: async ({ topic, data, sender }) => {
      wireTopic(topic)
      if (data.byteLength > topics.bytesMax)
        throw new KithError(
          'TOO_LARGE',
          `a message has at most ${topics.bytesMax} bytes, this one has ${data.byteLength}. Put it as content, and publish its address.`,
          { limit: topics.bytesMax, size: data.byteLength }
        )
      if (!rate.take()) throw tooFast(rate.delayUntil())
      const peers = await topics.publish(topic, data)
      tell(topic, self, data, sender)
      return { peers }
    },
    subscribe: (topic, receive, owner) => {
      wireTopic(topic)
      const at = joined.get(topic) ?? join(topic)
      const listener = { receive, owner }
      at.listeners.add(listener)
      return () => {
        if (!at.listeners.delete(listener) || at.listeners.size > 0) return
        joined.delete(topic)
        at.leave()
      }
    }
  }
}

function tooFast(retryAfterMs: number): KithError {
  return new KithError(
    'RATE_LIMITED',
    `this node publishes at most ${PUBLISH_PER_SECOND} messages a second for its apps, ${PUBLISH_BURST} at once; other nodes would drop more. Try again in ${retryAfterMs} ms.`,
    { limit: PUBLISH_PER_SECOND, retryAfterMs }
  )
}
