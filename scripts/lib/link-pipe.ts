/**
 * Carries bytes from one socket to another as a link does: at its rate, after its latency, in order and whole. Holds a
 * bounded number of bytes; when that is reached, it stops reading, and whoever sends waits.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { MIB, KIB, type Bytes, type Ms } from '../../src/model/units.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LinkLane } from './link-lane.ts'

/** What one connection sends before another gets its turn on the same link. Bytes. */
const SLICE_BYTES: Bytes = 16 * KIB
/** Bytes on their way in one direction of a connection: 40 MB/s over 100 ms. */
export const ON_THE_WAY_BYTES_MAX: Bytes = 4 * MIB

export interface PipeParts {
  readonly clock: Clock
  readonly from: Socket
  readonly to: Socket
  /** Each is passed, in this order. */
  readonly lanes: readonly LinkLane[]
  /** Told of all bytes that went in. */
  readonly onBytes: (bytes: Bytes) => void
}

interface Parcel {
  /** Null: the sender ended. */
  readonly bytes: Uint8Array | null
  readonly due: Ms
}

export class LinkPipe {
  readonly #parts: PipeParts
  readonly #parcels: Parcel[] = []
  #onTheWay: Bytes = 0
  #lastDue: Ms = 0
  #changed = Promise.withResolvers<void>()

  constructor(parts: PipeParts) {
    this.#parts = parts
  }

  /** Until the sender has ended and all has arrived. Rejects when either socket fails. */
  async run(): Promise<void> {
    await Promise.all([this.#take(), this.#deliver()])
  }

  /** Bytes that left the sender and have not arrived. */
  get onTheWay(): Bytes {
    return this.#onTheWay
  }

  async #take(): Promise<void> {
    // The iterator would destroy the socket at the sender's end, while the other direction is still in use.
    for await (const chunk of this.#parts.from.iterator({ destroyOnReturn: false })) {
      if (!(chunk instanceof Uint8Array)) continue
      for (let at = 0; at < chunk.byteLength; at += SLICE_BYTES) await this.#send(chunk.subarray(at, at + SLICE_BYTES))
    }
    this.#add(null)
  }

  async #send(slice: Uint8Array): Promise<void> {
    while (this.#onTheWay >= ON_THE_WAY_BYTES_MAX) await this.#changed.promise
    this.#onTheWay += slice.byteLength
    this.#parts.onBytes(slice.byteLength)
    for (const lane of this.#parts.lanes) await lane.pass(slice.byteLength)
    this.#add(slice)
  }

  /** What was sent later never arrives earlier, also when the latency has become less. */
  #add(bytes: Uint8Array | null): void {
    const latency = this.#parts.lanes.reduce((sum, lane) => sum + lane.latency, 0)
    this.#lastDue = Math.max(this.#lastDue, this.#parts.clock.monotonic() + latency)
    this.#parcels.push({ bytes, due: this.#lastDue })
    this.#change()
  }

  async #deliver(): Promise<void> {
    const { to } = this.#parts
    while (true) {
      const parcel = this.#parcels.shift()
      if (parcel === undefined) {
        await this.#changed.promise
        continue
      }
      await this.#until(parcel.due)
      if (parcel.bytes === null) {
        to.end()
        return
      }
      if (!to.write(parcel.bytes)) await once(to, 'drain')
      this.#onTheWay -= parcel.bytes.byteLength
      this.#change()
    }
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #until(moment: Ms): Promise<void> {
    const { clock } = this.#parts
    const wait = moment - clock.monotonic()
    if (wait <= 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    clock.after(wait, resolve)
    await promise
  }
}
