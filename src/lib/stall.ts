/** A body of bytes that has to keep coming: whoever sends nothing for too long is cut off. */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** A readable stream, as far as it matters here. */
export interface Body extends AsyncIterable<unknown> {
  destroy(error: Error): unknown
}

/**
 * Passes the bytes of `body` on. Time the reader takes between two pieces is not counted. Leaving the loop early
 * destroys the body.
 *
 * @throws the error of `stalled`, after `limit` milliseconds without a byte · the body's own errors
 */
export async function* withoutStall(clock: Clock, body: Body, limit: Ms, stalled: () => Error): AsyncGenerator<Uint8Array> {
  const arm = (): (() => void) =>
    clock.after(limit, () => {
      body.destroy(stalled())
    })
  let disarm = arm()
  try {
    for await (const chunk of body) {
      disarm()
      if (chunk instanceof Uint8Array) yield chunk
      disarm = arm()
    }
  } finally {
    disarm()
  }
}
