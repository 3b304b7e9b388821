/** The cutting of chunks into frames: whatever the borders, whatever the peer claims. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  FRAME_HEADER_BYTES,
  frameParts,
  FrameReader,
  indexedParts,
  ProtocolOffence,
  readIndexed,
  type Frame
} from '../../../src/exchange/frames.ts'
import { answerLimit, requestLimit } from '../../../src/exchange/limits.ts'
import { FRAME, FRAME_BYTES_MAX, REQUEST_BYTES_MAX } from '../../../src/exchange/protocol.ts'
import { concat } from 'uint8arrays'

const LIMIT = 100_000

function readAll(reader: FrameReader, chunks: readonly Uint8Array[]): Frame[] {
  const frames: Frame[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame)
  }
  return frames
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map(place => place % (bytes.byteLength + 1)).toSorted((a, b) => a - b), bytes.byteLength]
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
}

describe('exchange/frames', () => {
  it('reads back what it wrote, wherever the chunks are cut', () => {
    const frame = fc.record({ type: fc.integer({ min: 0, max: 255 }), payload: fc.uint8Array({ maxLength: 300 }) })
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, places) => {
        const wire = concat(frames.flatMap(({ type, payload }) => frameParts(type, payload)))
        const reader = new FrameReader(() => LIMIT)
        const read = readAll(reader, cut(wire, places))
        assert.deepEqual(
          read.map(({ type, payload }) => ({ type, payload: [...payload] })),
          frames.map(({ type, payload }) => ({ type, payload: [...payload] }))
        )
        assert.ok(reader.isEmpty)
      })
    )
  })

  it('survives random bytes: frames, a wait for more, or an offence; never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), chunks => {
        for (const limit of [answerLimit, requestLimit]) {
          try {
            readAll(new FrameReader(limit), chunks)
          } catch (error) {
            assert.ok(error instanceof ProtocolOffence)
          }
        }
      })
    )
  })

  it('refuses a claimed length of 2 GiB before allocating anything', () => {
    const before = process.memoryUsage().arrayBuffers
    for (const length of [0x7fffffff, 0x80000000, 0xffffffff, FRAME_BYTES_MAX + 1]) {
      const reader = new FrameReader(answerLimit)
      const head = new Uint8Array(FRAME_HEADER_BYTES)
      new DataView(head.buffer).setUint32(0, length)
      head[4] = FRAME.ADVERT
      reader.push(head)
      assert.throws(() => reader.next(), { name: 'ProtocolOffence', offence: 'oversized-frame' })
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024)
  })

  it('lets a server read requests of 64 KiB and nothing else', () => {
    const [longest, tooLong] = [REQUEST_BYTES_MAX, REQUEST_BYTES_MAX + 1].map(length => frameParts(FRAME.REQUEST, new Uint8Array(length)))
    assert.equal(readAll(new FrameReader(requestLimit), longest ?? []).length, 1)
    assert.throws(() => readAll(new FrameReader(requestLimit), tooLong ?? []), { offence: 'oversized-frame' })
    assert.throws(() => readAll(new FrameReader(requestLimit), frameParts(FRAME.LEAF, new Uint8Array(9))), { offence: 'unexpected-frame' })
  })

  it('does not copy a frame that lies within one chunk', () => {
    const reader = new FrameReader(answerLimit)
    const chunk = concat(indexedParts(FRAME.LEAF, 7, new Uint8Array([1, 2, 3])))
    reader.push(chunk)
    const frame = reader.next()
    assert.equal(frame?.payload.buffer, chunk.buffer)
    assert.deepEqual(readIndexed(frame?.payload ?? new Uint8Array(0)), { index: 7, bytes: chunk.subarray(9) })
  })

  it('keeps indexes up to 2^32 - 1', () => {
    for (const index of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const wire = concat(indexedParts(FRAME.LEAF, index, new Uint8Array(1)))
      assert.equal(readIndexed(wire.subarray(FRAME_HEADER_BYTES)).index, index)
    }
    assert.throws(() => readIndexed(new Uint8Array(3)), { offence: 'malformed-frame' })
  })
})
