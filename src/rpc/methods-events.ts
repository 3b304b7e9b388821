/** The `events.*` methods: what happens here, pushed to whoever asked. */
import { z } from 'zod'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { EVENT_TYPES } from '../observe/events.ts'
import { method } from './method.ts'
import { bytes, nothing } from './schemas.ts'

export const eventTypes = z.array(z.string()).superRefine((words, context) => {
  for (const word of words) {
    if (!EVENT_TYPES.some(type => type === word))
      context.addIssue({
        code: 'custom',
        message: `"${word}" is no event type.${didYouMean(word, EVENT_TYPES)} Known: ${EVENT_TYPES.join(', ')}`
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
