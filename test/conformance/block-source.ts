/** What every {@link BlockSource} must do, whatever is behind it. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import type { BlockSource } from '../../src/ports/block-source.ts'

export interface SourceUnderTest {
  readonly source: BlockSource
  /** Makes the world behind the source have a block. */
  put(cid: CID, bytes: Uint8Array): Promise<void>
  /** Makes the world behind the source never answer for this block. */
  stall(cid: CID): void
  close(): Promise<void>
}

function block(seed: number, length: number): { cid: CID; bytes: Uint8Array } {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + seed * 17) & 0xff
  return { cid: rawCid(sha256(bytes)), bytes }
}

const budget = () => ({ signal: AbortSignal.timeout(50_000) })

export function blockSourceConformance(name: string, make: () => Promise<SourceUnderTest>): void {
  describe(`block source conformance: ${name}`, () => {
    let world: SourceUnderTest

    beforeEach(async () => {
      world = await make()
    })
    afterEach(async () => {
      await world.close()
    })

    it('names its stage, can be asked, and bounds what is in flight', () => {
      assert.ok(['ipfs', 'gateway'].includes(world.source.stage))
      assert.equal(world.source.unavailable(), undefined)
      assert.ok(world.source.concurrency >= 1 && world.source.concurrency <= 64)
    })

    it('delivers the bytes of blocks of all sizes, the empty and the largest included', async () => {
      const session = world.source.open(block(0, 0).cid)
      for (const length of [0, 1, 1023, 1025, 65_537, 1_048_576, 2_097_152]) {
        const { cid, bytes } = block(1, length)
        await world.put(cid, bytes)
        assert.ok(Buffer.from(bytes).equals(await session.get(cid, budget())), `${length} bytes`)
      }
      session.close()
    })

    it('delivers as many blocks at once as it allows', async () => {
      const blocks = Array.from({ length: world.source.concurrency }, (_, at) => block(at, 5000 + at))
      for (const { cid, bytes } of blocks) await world.put(cid, bytes)
      const session = world.source.open(block(0, 5000).cid)
      const got = await Promise.all(blocks.map(async ({ cid }) => await session.get(cid, budget())))
      got.forEach((bytes, at) => assert.ok(Buffer.from(blocks[at]?.bytes ?? []).equals(bytes)))
      session.close()
    })

    it('gives two sessions the same block at the same time', async () => {
      const { cid, bytes } = block(2, 70_000)
      await world.put(cid, bytes)
      const got = await Promise.all([1, 2].map(async () => await world.source.open(cid).get(cid, budget())))
      for (const one of got) assert.ok(Buffer.from(bytes).equals(one))
    })

    it('says not-found for what is not there, and stays available', async () => {
      const session = world.source.open(block(3, 10).cid)
      for (let round = 0; round < 5; round++) {
        await assert.rejects(
          session.get(block(3, 10).cid, budget()),
          (error: unknown) => error instanceof SourceError && error.outcome === 'not-found'
        )
      }
      assert.equal(world.source.unavailable(), undefined)
    })

    it('rejects with the reason of a caller who gave up, before and during the search', async () => {
      const { cid } = block(4, 10)
      world.stall(cid)
      const session = world.source.open(cid)
      const reason = new Error('no longer wanted')
      await assert.rejects(session.get(cid, { signal: AbortSignal.abort(reason) }), reason)
      const controller = new AbortController()
      const got = session.get(cid, { signal: controller.signal })
      setImmediate(() => {
        controller.abort(reason)
      })
      await assert.rejects(got, reason)
      assert.equal(world.source.unavailable(), undefined)
    })

    it('ends what is in flight when its session closes, and takes nothing more', async () => {
      const { cid } = block(5, 10)
      world.stall(cid)
      const session = world.source.open(cid)
      const ended = assert.rejects(session.get(cid, budget()), SourceError)
      session.close()
      await ended
      await assert.rejects(session.get(cid, budget()), SourceError)
    })
  })
}
