/** Raw frames, right and wrong, for hostile ends of the exchange protocol. */
import { encode } from 'cborg'
import { encodeEnd, encodeHead } from '../../src/exchange/codec.ts'
import { frameParts, type Frame, type FrameReader } from '../../src/exchange/frames.ts'
import { FRAME } from '../../src/exchange/protocol.ts'
import { rawCid } from '../../src/model/content-id.ts'
import type { PeerStream } from '../../src/ports/network.ts'

export const cid = rawCid(new Uint8Array(32))
export const head = frameParts(FRAME.HEAD, encodeHead({ cid }))
export const ok = frameParts(FRAME.END, encodeEnd({ status: 'ok' }))
export const small = new Uint8Array(10)
export const request = (more: Record<string, unknown> = {}): Uint8Array[] =>
  frameParts(
    FRAME.REQUEST,
    encode({ k: 'dag', requesterId: 'did:key:z', requestId: new Uint8Array(16), ttl: 30, hops: 0, cid: cid.bytes, ...more })
  )
export const headerOf = (length: number, type: number): Uint8Array => {
  const bytes = new Uint8Array(5)
  new DataView(bytes.buffer).setUint32(0, length)
  bytes[4] = type
  return bytes
}

/** The next frame a raw stream receives; null at its end. */
export async function readFrame(stream: PeerStream, reader: FrameReader): Promise<Frame | null> {
  for (;;) {
    const frame = reader.next()
    if (frame !== undefined) return frame
    const chunk = await stream.read()
    if (chunk === null) return null
    reader.push(chunk)
  }
}
