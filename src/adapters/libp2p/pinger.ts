/** Times a round trip to a peer. Here, because the stock ping counts whole milliseconds. */
import { equals } from 'uint8arrays'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { PeerStream } from '../../ports/network.ts'

export const PING_PROTOCOL = '/ipfs/ping/1.0.0'
/** What a ping echoes. */
const PING_BYTES = 32

/** Uses the stream up. */
export async function timePing(stream: PeerStream, clock: Clock, { signal }: { readonly signal: AbortSignal }): Promise<Ms> {
  const sent = crypto.getRandomValues(new Uint8Array(PING_BYTES))
  const start = clock.monotonic()
  await stream.write([sent], { signal })
  await readEcho(stream, sent, signal)
  const took = clock.monotonic() - start
  await stream.close({ signal })
  return took
}

async function readEcho(stream: PeerStream, sent: Uint8Array, signal: AbortSignal): Promise<void> {
  let at = 0
  while (at < sent.byteLength) {
    const chunk = await stream.read({ signal })
    if (chunk === null) throw new Error('the peer closed the stream')
    if (!equals(chunk, sent.subarray(at, at + chunk.byteLength))) throw new Error('the peer echoed other bytes')
    at += chunk.byteLength
  }
}
