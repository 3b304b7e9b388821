import assert from 'node:assert/strict'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import type { Attempt } from '../../../src/model/source.ts'
import type { BlockSource } from '../../../src/ports/block-source.ts'
import type { Retriever } from '../../../src/retrieval/retriever.ts'
import { directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'
import { distinctBytes, fileDag, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakeSource, isCode, makeRetriever, outcomes, requestFor } from './retriever-support.ts'

const MIB = 1_048_576

const OPEN = { isPublic: true, mayAskPeers: true }

describe('Retriever, what it takes and whom it asks', () => {
  let library: Library
  let clock: VirtualClock
  beforeEach(() => {
    library = memoryLibrary()
    clock = new VirtualClock()
  })

  const retriever = (ipfs: BlockSource, gateways: readonly BlockSource[] = [], maxFileSize = 0): Retriever =>
    makeRetriever({ library, clock, ipfs, gateways, maxFileSize })

  describe('with limits.maxFileSize', () => {
    const files = ['aaaa', 'bbbb', 'cccc'].map(text => leaf(text.repeat(1000)))
    const listed = (size: number): VerifiedBlock => directoryNode(files.map(({ cid }, index) => ({ cid, name: `${index}`, size })))

    async function get(root: VerifiedBlock, more: readonly VerifiedBlock[], maxFileSize: number): Promise<unknown> {
      const source = new FakeSource('ipfs', [root, ...more])
      const { report } = await retriever(source, [], maxFileSize).start(requestFor(root.cid), {})
      await clock.advance(200)
      return await report.catch((error: unknown) => error)
    }

    it('takes directories up to that size', async () => {
      assert.equal(isCode('TOO_LARGE')(await get(listed(4000), files, 12_000)), false)
    })

    it('refuses a directory that declares more, before a leaf is fetched', async () => {
      assert.equal(isCode('TOO_LARGE')(await get(listed(4000), files, 11_999)), true)
      assert.equal(library.realms.cache.blocks.usage().blocks, 1)
    })

    it('refuses a directory whose files are more than it declares, as soon as they are seen', async () => {
      assert.equal(isCode('TOO_LARGE')(await get(listed(1), files, 8_000)), true)
      assert.equal(library.realms.cache.blocks.usage().blocks <= 4, true)
    })

    it('counts the files of folders below by what they declare', async () => {
      const inner = fileNode(files.map(({ cid }) => ({ cid, size: 4000 })))
      const folder = directoryNode([{ cid: inner.cid, name: 'file' }])
      const top = directoryNode([{ cid: folder.cid, name: 'folder' }])
      assert.equal(isCode('TOO_LARGE')(await get(top, [folder, inner, ...files], 11_999)), true)
      assert.equal(isCode('TOO_LARGE')(await get(top, [folder, inner, ...files], 12_000)), false)
    })
  })

  describe('by content hash, with no peer that knows it', () => {
    it('asks IPFS and gateways for the one block that small content is', async () => {
      const { root, blocks } = await fileDag(distinctBytes(1000))
      const made = retriever(new FakeSource('ipfs', blocks.values()))
      const {
        roots: [single, ...others]
      } = await made.resolveHash(root.multihash.digest, OPEN, {})
      assert.deepEqual([single?.cid.equals(root), others], [true, []])
      const { report } = await made.start(requestFor(root, { maxBytes: MIB }), {})
      await clock.advance(200)
      assert.deepEqual(Buffer.from((await report).sha256 ?? []), Buffer.from(root.multihash.digest))
    })

    it('says that for anything larger an address is needed', async () => {
      const made = retriever(new FakeSource('ipfs'), [new FakeSource('gateway')])
      const {
        roots: [single]
      } = await made.resolveHash(new Uint8Array(32), OPEN, {})
      if (single === undefined) throw new Error('there is always the one block')
      const { report } = await made.start(requestFor(single.cid, { maxBytes: MIB }), {})
      await clock.advance(700)
      await assert.rejects(report, error => {
        assert.equal(isCode('NOT_FOUND')(error), true)
        if (error instanceof KithError)
          assert.deepEqual(outcomes(error.data['attempts'] as Attempt[]), [
            'ipfs not-found',
            'gateway not-found',
            'ipfs skipped no-cid',
            'gateway skipped no-cid'
          ])
        return true
      })
    })
  })
})
