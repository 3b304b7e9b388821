/** The `events.*` methods: what happens here, pushed to whoever asked. */
import { z } from 'zod'
import { KithError } from '../errors.ts'
import { clipped, didYouMean } from '../lib/nearest-word.ts'
import { EVENT_TYPES } from '../observe/events.ts'
import { method } from './method.ts'
import { bytes, nothing, subscription, wordsOf } from './schemas.ts'

/** Messages belong to the connection that listens to their topic. */
const SUBSCRIBABLE = EVENT_TYPES.filter(type => type !== 'pubsub.message')
const MESSAGES_ELSEWHERE =
  'messages of topics come unasked to the connection that listens to the topic: call pubsub.subscribe with its name, and leave "pubsub.message" out here'

/** Types named in one filter: more than there are, for some name one twice. Count. */
const TYPES_NAMED_MAX = 64

export const eventTypes = wordsOf(TYPES_NAMED_MAX, word => {
  if (word === 'pubsub.message') return MESSAGES_ELSEWHERE
  if (EVENT_TYPES.some(type => type === word)) return undefined
  return `"${clipped(word)}" is no event type.${didYouMean(word, SUBSCRIBABLE)} Known: ${SUBSCRIBABLE.join(', ')}`
})

export const eventFilter = {
  types: eventTypes.exactOptional().describe('only these; absent: all'),
  since: bytes.exactOptional().describe('first replay what came after this sequence number')
}

export const eventsMethods = {
  'events.subscribe': method({
    access: 'read',
    doc: 'From now on this connection gets `event` notifications.',
    params: eventFilter,
    result: z.object({ subscription: z.string() }),
    run: (_services, filter, context) => ({ subscription: context.connection.subscribe(filter, context) })
  }),
  'events.unsubscribe': method({
    access: 'read',
    doc: 'Ends a subscription of this connection.',
    params: { subscription },
    result: nothing,
    run(_services, { subscription: id }, { connection }): Record<string, never> {
      if (!connection.unsubscribe(id)) throw new KithError('NOT_FOUND', `this connection has no subscription "${id}"`, { attempts: [] })
      return {}
    }
  })
}
