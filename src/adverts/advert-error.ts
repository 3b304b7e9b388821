/** Why an advert is not taken, and what that says about who passed it on. */
import { KithError } from '../errors.ts'
import { JwtError } from '../peers/jwt.ts'
import { FilterError } from './filter-codec.ts'

/** `reject`: every relay could see it, so relaying it was wrong. `ignore`: depends on time and on what one knows. */
export type Refusal = 'ignore' | 'reject'

export class AdvertError extends KithError {
  readonly refusal: Refusal
  constructor(refusal: Refusal, why: string, options?: ErrorOptions) {
    super('INTEGRITY', `the advert is not taken: ${why}`, {}, options)
    this.name = 'AdvertError'
    this.refusal = refusal
  }
}

/** A refusal of token or filter as one of the advert; anything else is a bug of ours and costs nobody. */
export function toAdvertError(error: unknown): AdvertError {
  if (error instanceof AdvertError) return error
  if (error instanceof JwtError) return new AdvertError(error.reason === 'time' ? 'ignore' : 'reject', error.message, { cause: error })
  if (error instanceof FilterError) return new AdvertError('reject', error.message, { cause: error })
  return new AdvertError('ignore', error instanceof Error ? error.message : String(error), { cause: error })
}
