import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { DAG_DEPTH_MAX, SkeletonWalk, walkLocal } from '../../../src/dag/skeleton.ts'
import { KithError } from '../../../src/errors.ts'
import { isNodeCid } from '../../../src/dag/node.ts'
import { blockKey, IDENTITY_CODE } from '../../../src/model/content-id.ts'
import { bomb, BlockMap, directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'
import { distinctBytes, treeDag } from '../../support/dag-builder.ts'

const names = (cids: readonly CID[]): string[] => cids.map(String)

describe('SkeletonWalk', () => {
  for (const kind of ['file', 'directory'] as const) {
    it(`walks a ${kind} bomb of five blocks and 916 million paths in five steps`, async () => {
      const { root, blocks } = bomb(kind)
      const walk = await walkLocal(new BlockMap(blocks), root)
      assert.deepEqual([walk.done, walk.nodes.length, walk.leaves.length], [true, 4, 1])
    })
  }

  it('refuses a chain of 20,000 nodes at the deepest nesting it follows', async () => {
    const blocks = [directoryNode([])]
    for (let depth = 1; depth < 20_000; depth++) {
      const below = blocks.at(-1)
      if (below !== undefined) blocks.push(directoryNode([{ cid: below.cid, name: 'd' }]))
    }
    const root = blocks.at(-1)
    assert.notEqual(root, undefined)
    if (root === undefined) return
    await assert.rejects(walkLocal(new BlockMap(blocks), root.cid), error => error instanceof KithError && error.code === 'INTEGRITY')
    const allowed = blocks[DAG_DEPTH_MAX]
    assert.equal((await walkLocal(new BlockMap(blocks), allowed?.cid ?? root.cid)).done, true)
  })

  it('names nodes root first, depth first, and leaves in the order in which nodes name them', async () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(leaf)
    if (a === undefined || b === undefined || c === undefined || d === undefined) return
    const left = fileNode([
      { cid: a.cid, size: 1 },
      { cid: b.cid, size: 1 }
    ])
    const right = fileNode([
      { cid: b.cid, size: 1 },
      { cid: c.cid, size: 1 }
    ])
    const root = directoryNode([
      { cid: left.cid, name: '1' },
      { cid: d.cid, name: '2' },
      { cid: right.cid, name: '3' },
      { cid: left.cid, name: '4' }
    ])
    const walk = await walkLocal(new BlockMap([a, b, c, d, left, right, root]), root.cid)
    assert.deepEqual(names(walk.nodes), names([root.cid, left.cid, right.cid]))
    assert.deepEqual(names(walk.leaves.map(({ cid }) => cid)), names([d.cid, a.cid, b.cid, c.cid]))
    assert.deepEqual(
      walk.leaves.map(({ size }) => size),
      [undefined, 1, 1, 1]
    )
    assert.equal(walk.leafIndex(c.cid), 3)
  })

  it('gives the same order whoever walks: all at once, or node by node as they arrive', async () => {
    const { root, blocks } = await treeDag([
      { path: 'r/a', content: [distinctBytes(3_000_000)] },
      { path: 'r/b/c', content: [distinctBytes(2_500_000, 2)] },
      { path: 'r/b/d', content: [distinctBytes(10, 3)] }
    ])
    const whole = await walkLocal(new BlockMap(blocks.values()), root)
    const step = new SkeletonWalk(root)
    while (step.next !== undefined) {
      assert.deepEqual(names(step.upcoming(1)), names([step.next]))
      const block = blocks.get(blockKey(step.next))
      if (block === undefined) throw new Error('a block of the tree is missing')
      step.accept(block)
    }
    assert.deepEqual(
      [names(step.nodes), names(step.leaves.map(({ cid }) => cid))],
      [names(whole.nodes), names(whole.leaves.map(({ cid }) => cid))]
    )
    assert.equal(whole.nodes.length + whole.leaves.length, blocks.size, 'every block exactly once')
    assert.equal(whole.nodes.every(isNodeCid), true)
  })

  it('stops where a node is missing, and says that this was not all', async () => {
    const below = fileNode([])
    const root = directoryNode([{ cid: below.cid, name: 'gone' }])
    const walk = await walkLocal(new BlockMap([root]), root.cid)
    assert.deepEqual([walk.done, walk.nodes.length, String(walk.next)], [false, 1, String(below.cid)])
  })

  it('takes a single block as a DAG of one leaf', async () => {
    const only = leaf('only')
    const walk = await walkLocal(new BlockMap([only]), only.cid)
    assert.deepEqual([walk.done, walk.nodes.length, walk.leaves.length], [true, 0, 1])
  })

  it('follows links inside identity nodes, which nobody has to send', async () => {
    const below = leaf('below')
    const inner = fileNode([{ cid: below.cid, size: 5 }])
    const inline = CID.createV1(inner.cid.code, createDigest(IDENTITY_CODE, inner.bytes))
    for (const root of [directoryNode([{ cid: inline, name: 'inline' }]), { cid: inline }]) {
      const walk = await walkLocal(new BlockMap('bytes' in root ? [root] : []), root.cid)
      assert.deepEqual([walk.done, names(walk.leaves.map(({ cid }) => cid)), walk.declaredBytes], [true, names([below.cid]), 5])
    }
    const broken = CID.createV1(inner.cid.code, createDigest(IDENTITY_CODE, new Uint8Array(9).fill(0xff)))
    assert.throws(
      () => new SkeletonWalk(broken),
      error => error instanceof KithError && error.code === 'INTEGRITY'
    )
  })

  it('knows what is named and what is still to come by multihash', () => {
    const [below, other] = [leaf('below'), leaf('other')]
    const file = fileNode([{ cid: below.cid, size: 5 }])
    const root = directoryNode([
      { cid: file.cid, name: 'a' },
      { cid: other.cid, name: 'b', size: 7 }
    ])
    const walk = new SkeletonWalk(root.cid)
    assert.deepEqual([walk.names(root.cid), walk.names(file.cid), String(walk.pendingNode(root.cid))], [true, false, String(root.cid)])
    walk.accept(root)
    assert.deepEqual([walk.pendingNode(root.cid), walk.names(other.cid), walk.names(below.cid)], [undefined, true, false])
    assert.equal(String(walk.pendingNode(CID.createV1(0x55, file.cid.multihash))), String(file.cid))
    walk.accept(file)
    assert.deepEqual([walk.names(below.cid), walk.declaredBytes, walk.done], [true, 12, true])
  })

  it('accepts nothing out of order', () => {
    const root = directoryNode([])
    const walk = new SkeletonWalk(root.cid)
    assert.throws(
      () => {
        walk.accept(leaf('other'))
      },
      error => error instanceof KithError && error.code === 'INTERNAL'
    )
  })
})
