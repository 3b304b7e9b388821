/** Several messages in one line, answered in one line. */
import { KithError } from '../errors.ts'
import { MIB } from '../model/units.ts'
import { failure } from './message.ts'
import type { Id } from './message.ts'

/** Messages in one batch: its answer is held in memory until the last of them is done. */
const BATCH_MESSAGES_MAX = 100
/** That answer: a few large contents. More belongs into calls of their own. Characters. */
const BATCH_ANSWER_MAX = 32 * MIB

/** @returns why the batch is refused as a whole, if it is */
export function checkBatch(messages: readonly unknown[]): KithError | undefined {
  if (messages.length === 0) return new KithError('INVALID_REQUEST', 'the batch is empty')
  if (messages.length <= BATCH_MESSAGES_MAX) return undefined
  const message = `the batch holds ${messages.length} messages, at most ${BATCH_MESSAGES_MAX} are taken: send several`
  return new KithError('INVALID_REQUEST', message, { limit: BATCH_MESSAGES_MAX })
}

export class BatchAnswer {
  readonly #answers: string[] = []
  #length = 0

  /** What does not fit any more is answered with TOO_LARGE. */
  add(answer: string, id: Id): void {
    const fits = this.#length + answer.length <= BATCH_ANSWER_MAX
    const taken = fits
      ? answer
      : failure(
          id,
          new KithError('TOO_LARGE', 'the answer to this batch is too long: call for large content one at a time', {
            limit: BATCH_ANSWER_MAX
          })
        )
    this.#answers.push(taken)
    this.#length += taken.length
  }

  /** Undefined when there is nothing to answer: notifications only. */
  text(): string | undefined {
    return this.#answers.length === 0 ? undefined : `[${this.#answers.join(',')}]`
  }
}
