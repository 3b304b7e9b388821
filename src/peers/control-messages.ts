/** Whole messages on a control stream: one there, one back, and nothing behind it. Owns nothing. */
import { concat } from 'uint8arrays'
import { abortable } from '../lib/deadline.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { PeerStream } from '../ports/network.ts'
import { ControlFormError, LENGTH_BYTES, readControlLength } from './control-codec.ts'

export async function converse(stream: PeerStream, request: Uint8Array, options: AbortOptions): Promise<Uint8Array> {
  try {
    await stream.write([request], options)
    const answer = await readMessage(stream, options)
    void stream.close().catch(() => {}) // the answer is here; how the stream ends no longer matters
    return answer
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

/** One message, with nothing behind it. @throws ControlFormError · what broke or ended the stream · the signal's reason */
export async function readMessage(stream: PeerStream, options: AbortOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  let wanted = LENGTH_BYTES
  let isHeaderRead = false
  while (bytes < wanted) {
    const chunk = await abortable(stream.read(options), options)
    if (chunk === null) throw new Error('the stream ended inside a message') // as it does when a connection is lost: no breach
    parts.push(chunk)
    bytes += chunk.byteLength
    if (isHeaderRead || bytes < LENGTH_BYTES) continue
    isHeaderRead = true
    wanted = LENGTH_BYTES + readControlLength(concat(parts, bytes))
  }
  if (bytes > wanted) throw new ControlFormError('bytes follow a message')
  return concat(parts, bytes).subarray(LENGTH_BYTES)
}

export async function finish(stream: PeerStream, answer: Uint8Array): Promise<void> {
  await stream.write([answer])
  await stream.close()
}
