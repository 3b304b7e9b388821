/** The methods `pubsub.*`: messages of apps by topic. A connection gets the messages of its own subscriptions only. */
import { z } from 'zod'
import { KithError } from '../errors.ts'
import { decodeInline, encodeInline } from './inline-data.ts'
import { method } from './method.ts'
import { bytes, inlineData, nothing, subscription } from './schemas.ts'

/** Names are checked where topics are; this bounds what is looked at. Characters. */
const TOPIC_CHARACTERS_MAX = 256

const topic = z.string().min(1).max(TOPIC_CHARACTERS_MAX).describe('name of the topic: at most 128 bytes of printed characters')

export const pubsubMethods = {
  'pubsub.publish': method({
    access: 'write',
    doc: 'Sends a message to everybody who listens to a topic, on other nodes and at other connections of this one. Nobody vouches for what it says, and nobody keeps it.',
    params: { topic, data: inlineData.describe('the message, base64; at most 252 KiB') },
    notBuilt: ['swarm'],
    result: z.object({ peers: bytes.describe('nodes it went to at once; these pass it on') }),
    run: async ({ pubsub }, { topic: name, data }, { connection }) =>
      await pubsub.publish({ topic: name, data: decodeInline(data, 'data'), sender: connection })
  }),
  'pubsub.subscribe': method({
    access: 'read',
    doc: 'From now on this connection gets the messages of a topic, as `pubsub.message` events `{topic, from, did, data}` with `data` in base64.',
    params: { topic },
    notBuilt: ['swarm'],
    result: z.object({ subscription: z.string() }),
    run: ({ pubsub }, { topic: name }, context) => {
      const open = (push: (fields: Record<string, unknown>, size: number) => void): (() => void) =>
        pubsub.subscribe(
          name,
          ({ from, did, data }) => push({ topic: name, from, did, data: encodeInline(data) }, data.byteLength),
          context.connection
        )
      return { subscription: context.connection.attach({ type: 'pubsub.message', key: name, open }, context) }
    }
  }),
  'pubsub.unsubscribe': method({
    access: 'read',
    doc: 'Ends a subscription of this connection, or all it has to a topic.',
    params: { subscription: subscription.exactOptional(), topic: topic.exactOptional() },
    result: nothing,
    run(_services, { subscription: id, topic: name }, { connection }): Record<string, never> {
      if ((id === undefined) === (name === undefined))
        throw new KithError('INVALID_PARAMS', 'name either the "subscription" or the "topic" to end')
      if (id !== undefined ? connection.unsubscribe(id) : connection.detach(name ?? '')) return {}
      const what = id === undefined ? `to the topic "${name}"` : `"${id}"`
      throw new KithError('NOT_FOUND', `this connection has no subscription ${what}`, { attempts: [] })
    }
  })
}
