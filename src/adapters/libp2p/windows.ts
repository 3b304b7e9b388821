/**
 * Keeps the receive windows of yamux in proportion to the line. A window says how much the other side may send
 * unasked: on a slow line all of it waits in front of the line, and whatever else is asked meanwhile waits behind it.
 * The muxer doubles its windows with nearly every frame, however slow the line is, so it is told how far it may go.
 */
import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { Bytes, Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'

/** A window is at most what came in the last one or two of these: more than a round trip, and no long wait behind it. */
const SPAN: Ms = 500
/** The muxer's own field of a stream. */
const LIMIT = 'maxStreamWindowSize'

interface WindowInit {
  /** The protocol's first window, and the largest limit a stream is made with, so that each may have so much on its way. */
  readonly least: Bytes
  readonly most: Bytes
}

/** Muxers like those of `make`, whose windows grow as far as the line has shown that it fills them. */
export function fittedWindows(
  make: () => StreamMuxerFactory,
  { clock }: { readonly clock: Clock },
  { least, most }: WindowInit
): () => StreamMuxerFactory {
  return () => {
    const factory = make()
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = line => {
      const lately = new Lately(clock)
      let muxer: StreamMuxer | undefined
      // Before the muxer listens, which looks at the limits when it takes what came.
      line.addEventListener('message', ({ data }) => {
        lately.add(data.byteLength)
        const limit = Math.min(most, Math.max(least, lately.bytes))
        for (const stream of muxer?.streams ?? []) if (!setLimit(stream, limit)) line.abort(new OtherShapeError())
      })
      muxer = create(line)
      return muxer
    }
    return factory
  }
}

/** Nothing would be limited, or nothing ever grow. */
class OtherShapeError extends Error {
  constructor() {
    super('the installed @libp2p/yamux has another shape than the one this adapter was written for')
    this.name = 'OtherShapeError'
  }
}

/** False when the muxer's streams have no such field. */
function setLimit(stream: Stream, limit: Bytes): boolean {
  return typeof Reflect.get(stream, LIMIT) === 'number' && Reflect.set(stream, LIMIT, limit)
}

/** Counts what came in the present span and the one before. */
class Lately {
  readonly #clock: Clock
  #since: Ms
  #now: Bytes = 0
  #before: Bytes = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.monotonic()
  }

  add(bytes: Bytes): void {
    const passed = this.#clock.monotonic() - this.#since
    if (passed >= SPAN) {
      this.#before = passed < 2 * SPAN ? this.#now : 0
      this.#now = 0
      this.#since += passed
    }
    this.#now += bytes
  }

  get bytes(): Bytes {
    return this.#before + this.#now
  }
}
