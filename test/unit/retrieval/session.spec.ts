import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey, DAG_PB_CODEC } from '../../../src/model/content-id.ts'
import { DagSession, type Want } from '../../../src/retrieval/session.ts'
import { bomb, BlockMap, directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'
import { distinctBytes, fileDag } from '../../support/dag-builder.ts'
import { settle } from '../../support/virtual-clock.ts'

const MIB = 1_048_576
const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KithError && error.code === code

/** A file of two middle nodes and four leaves. */
const leaves = ['aaaa', 'bbbb', 'cccc', 'dddd'].map(leaf)
const at = (index: number): VerifiedBlock => leaves[index] ?? leaf('none')
const left = fileNode([at(0), at(1)].map(({ cid }) => ({ cid, size: 4 })))
const right = fileNode([at(2), at(3)].map(({ cid }) => ({ cid, size: 4 })))
const root = fileNode([left, right].map(({ cid }) => ({ cid, size: 8 })))
const all = [root, left, right, ...leaves]

async function open(
  local: readonly VerifiedBlock[] = [],
  want: Want = { kind: 'all' },
  cid: CID = root.cid
): Promise<{ session: DagSession; store: BlockMap }> {
  const store = new BlockMap(local)
  const session = new DagSession(store, cid, want)
  await session.loadLocal()
  return { session, store }
}

async function accept(session: DagSession, ...blocks: readonly VerifiedBlock[]): Promise<void> {
  for (const { cid, bytes } of blocks) await session.accept(cid, bytes)
}

const cids = (blocks: readonly { readonly cid: CID }[]): string[] => blocks.map(({ cid }) => cid.toString())
const claimed = (session: DagSession, count = 100, asked = new Set<string>()): string[] => session.claim(count, asked).map(String)

describe('DagSession', () => {
  it('is done at once when everything is local', async () => {
    const { session } = await open(all)
    await session.done
    assert.deepEqual([session.isDone, session.localBytes > 16, session.receivedBytes], [true, true, 0])
  })

  it('asks for the root first, then for nodes before leaves', async () => {
    const { session } = await open()
    assert.deepEqual(claimed(session), cids([root]))
    await accept(session, root)
    assert.deepEqual(claimed(session), cids([left, right]))
    await accept(session, left)
    assert.deepEqual(claimed(session), cids([right, at(0), at(1)]))
  })

  it('takes blocks in any order, and is done with the last of them', async () => {
    const { session } = await open()
    await accept(session, at(3), right, at(0), left, root)
    assert.equal(session.isDone, false)
    assert.deepEqual(claimed(session), cids([at(1), at(2)]))
    await accept(session, at(2), at(1))
    await session.done
    assert.equal(session.blockCount, 7)
  })

  it('counts a block that comes twice once', async () => {
    const { session } = await open()
    await accept(session, root, left, right, at(0), at(0), at(0))
    assert.equal(session.isDone, false)
    assert.deepEqual(claimed(session), cids([at(1), at(2), at(3)]))
    await accept(session, at(1), at(2), at(2))
    assert.equal(session.isDone, false)
    await accept(session, at(3))
    assert.equal(session.isDone, true)
  })

  it('takes blocks that arrive at the same time', async () => {
    const { session } = await open()
    await Promise.all(
      all.map(async ({ cid, bytes }) => {
        await session.accept(cid, bytes)
      })
    )
    await session.done
    assert.equal(session.isDone, true)
  })

  it('asks only for what a partial local store lacks', async () => {
    const { session } = await open([root, left, at(0), at(2)])
    assert.deepEqual(claimed(session), cids([right, at(1)]))
    await accept(session, right)
    assert.deepEqual(claimed(session), cids([at(1), at(3)]))
    assert.deepEqual(session.missingLeaves(10), [
      [1, 1],
      [3, 1]
    ])
    await accept(session, at(1), at(3))
    await session.done
  })

  it('spells missing leaves as ranges that are open while the skeleton is', async () => {
    const { session } = await open()
    assert.deepEqual(
      session.missingLeaves(10).map(([start]) => start),
      [0]
    )
    await accept(session, root, left, at(0))
    const [[start, count] = [0, 0]] = session.missingLeaves(10)
    assert.deepEqual([start, count > 1_000_000], [1, true])
    await accept(session, right, at(2))
    assert.deepEqual(session.missingLeaves(10), [
      [1, 1],
      [3, 1]
    ])
    assert.deepEqual(session.missingLeaves(1), [[1, 1]])
  })

  it('lets every source ask for the same block, and each of them once', async () => {
    const { session } = await open()
    const [first, second] = [new Set<string>(), new Set<string>()]
    assert.deepEqual(claimed(session, 8, first), cids([root]))
    assert.deepEqual(claimed(session, 8, first), [])
    assert.deepEqual(claimed(session, 8, second), cids([root]), 'a source that hangs keeps nothing from another')
    first.delete(blockKey(root.cid))
    assert.deepEqual(claimed(session, 8, first), cids([root]))
  })

  it('gives a reader its block as soon as it is verified', async () => {
    const { session } = await open()
    const waiting = [at(2), at(2), root].map(async ({ cid }) => await session.get(cid, {}))
    await accept(session, root)
    assert.equal((await waiting[2])?.cid.equals(root.cid), true)
    await accept(session, at(2))
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ bytes }) => bytes),
      [at(2).bytes, at(2).bytes, root.bytes]
    )
  })

  it('lets a reader leave without disturbing the others', async () => {
    const { session } = await open()
    const controller = new AbortController()
    const [leaver, stayer] = [session.get(root.cid, controller), session.get(root.cid, {})]
    await settle()
    controller.abort(new KithError('CANCELLED', 'enough'))
    await assert.rejects(leaver, isCode('CANCELLED'))
    await accept(session, root)
    assert.equal((await stayer).bytes, root.bytes)
  })

  it('fails all readers, keeps what is stored, and stays failed', async () => {
    const { session, store } = await open()
    await accept(session, root)
    const reader = session.get(at(0).cid, {})
    reader.catch(() => {})
    await settle()
    session.fail(new KithError('TIMEOUT', 'nobody left'))
    await assert.rejects(reader, isCode('TIMEOUT'))
    await assert.rejects(session.done, isCode('TIMEOUT'))
    await assert.rejects(session.get(at(0).cid, {}), isCode('TIMEOUT'))
    assert.equal(await store.has(root.cid), true)
    session.fail(new KithError('NOT_FOUND', 'later'))
    assert.equal(session.failure instanceof KithError && session.failure.code, 'TIMEOUT')
  })

  it('leaves nobody waiting for a block that will not come', async () => {
    const { session } = await open([], { kind: 'root' })
    const reader = session.get(at(0).cid, {})
    reader.catch(() => {})
    await settle()
    await accept(session, root)
    await assert.rejects(reader, isCode('UNAVAILABLE'))
    await assert.rejects(session.get(at(1).cid, {}), isCode('UNAVAILABLE'))
    assert.equal((await session.get(root.cid, {})).bytes, root.bytes)
  })

  it('takes no wrong byte: nothing is stored and nobody is told', async () => {
    const { session, store } = await open()
    const before = session.progress
    await assert.rejects(session.accept(root.cid, left.bytes), isCode('INTEGRITY'))
    assert.deepEqual([store.puts, session.progress, await store.has(root.cid)], [0, before, false])
  })

  it('stores no node that cannot be one', async () => {
    const garbage = leaf(distinctBytes(100))
    const cid = CID.createV1(DAG_PB_CODEC, garbage.cid.multihash)
    const { session, store } = await open([], { kind: 'all' }, cid)
    await assert.rejects(session.accept(cid, garbage.bytes), isCode('INTEGRITY'))
    assert.equal(store.puts, 0)
  })

  it('wants of a range only the leaves that hold it', async () => {
    const { session } = await open([], { kind: 'range', range: { offset: 5, length: 4 } })
    await accept(session, root)
    assert.deepEqual(session.missingLeaves(10), [], 'none before it is known which')
    await accept(session, left, right)
    assert.deepEqual(claimed(session), cids([at(1), at(2)]))
    assert.deepEqual(session.missingLeaves(10), [[1, 2]])
    await accept(session, at(2), at(1))
    await session.done
  })

  it('is done with the skeleton when a range is empty or lies behind the end', async () => {
    for (const range of [{ offset: 3, length: 0 }, { offset: 100 }]) {
      const { session } = await open([], { kind: 'range', range })
      await accept(session, root, left, right)
      await session.done
    }
  })

  it('wants one block when the root is one, whatever part of it is asked for', async () => {
    const { session } = await open([], { kind: 'range', range: { offset: 1, length: 1 } }, at(0).cid)
    assert.deepEqual(claimed(session), cids([at(0)]))
    await accept(session, at(0))
    await session.done
  })

  it('needs only the root to follow a path', async () => {
    const folder = directoryNode([{ cid: root.cid, name: 'file' }])
    const { session } = await open([], { kind: 'root' }, folder.cid)
    await accept(session, folder)
    await session.done
    assert.equal(session.rootNode?.kind, 'directory')
  })

  for (const kind of ['file', 'directory'] as const) {
    it(`needs five blocks for a ${kind} bomb`, async () => {
      const { root: top, blocks } = bomb(kind)
      const { session } = await open([], { kind: 'all' }, top)
      await accept(session, ...blocks.toReversed())
      await session.done
      assert.equal(session.blockCount, 5)
    })
  }

  it('chooses the leaves of a huge range in a file bomb at once', async () => {
    const { root: top, blocks } = bomb('file')
    const { session } = await open([], { kind: 'range', range: { offset: 0, length: 900_000_000 } }, top)
    await accept(session, ...blocks.toReversed())
    await session.done
  })

  it('takes the same bytes as a node and as a leaf for what each link says', async () => {
    const inner = fileNode([{ cid: at(0).cid, size: 4 }])
    const asRaw = leaf(inner.bytes)
    const mixed = directoryNode([
      { cid: asRaw.cid, name: 'bytes' },
      { cid: inner.cid, name: 'file' }
    ])
    const { session } = await open([], { kind: 'all' }, mixed.cid)
    await accept(session, mixed)
    await session.accept(asRaw.cid, asRaw.bytes)
    assert.equal(session.isDone, false, 'what lies below the node is still missing')
    await accept(session, at(0))
    await session.done
  })

  it('knows a real file of the importer to its last byte', async () => {
    const bytes = distinctBytes(5 * MIB + 3)
    const { root: cid, blocks } = await fileDag(bytes)
    const { session } = await open([], { kind: 'all' }, cid)
    await accept(session, ...[...blocks.values()].toReversed())
    await session.done
    assert.equal(session.rootNode?.size, bytes.byteLength)
  })
})
