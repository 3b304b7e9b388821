/** The `events.*` methods: what happens here, pushed to whoever asked. */
import { z } from 'zod'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { EVENT_TYPES } from '../observe/events.ts'
import { method } from './method.ts'
import { bytes, nothing } from './schemas.ts'

/** Messages belong to the connection that listens to their topic. */
const SUBSCRIBABLE = EVENT_TYPES.filter(type => type !== 'pubsub.message')
const MESSAGES_ELSEWHERE =
  'messages of topics come unasked to the connection that listens to the topic: call pubsub.subscribe with its name, and leave "pubsub.message" out here'

export const eventTypes = z.array(z.string()).superRefine((words, context) => {
  for (const word of words) {
    if (word === 'pubsub.message') context.addIssue({ code: 'custom', message: MESSAGES_ELSEWHERE })
    else if (!EVENT_TYPES.some(type => type === word))
      context.addIssue({
        code: 'custom',
        message: `"${word}" is no event type.${didYouMean(word, SUBSCRIBABLE)} Known: ${SUBSCRIBABLE.join(', ')}`
      })
  }
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
    params: { subscription: z.string() },
    result: nothing,
    run(_services, { subscription }, { connection }): Record<string, never> {
      if (!connection.unsubscribe(subscription))
        throw new KithError('NOT_FOUND', `this connection has no subscription "${subscription}"`, { attempts: [] })
      return {}
    }
  })
}
