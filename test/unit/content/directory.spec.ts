import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { directoryEntries, directoryLinks, resolvePath } from '../../../src/content/directory.ts'
import { directorySize, isWhole, localBlocks } from '../../../src/content/facts.ts'
import { readFile, type GetBlock } from '../../../src/dag/file.ts'
import { parseNode } from '../../../src/dag/node.ts'
import { KithError, type ErrorCode } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { treeDag } from '../../support/dag-builder.ts'
import { BlockMap, bomb, directoryNode, fileNode, leaf, shardBomb, shardNode, wideTree } from '../../support/dag-nodes.ts'

const isCoded = (code: ErrorCode) => (error: unknown) => error instanceof KithError && error.code === code

/** Blocks at hand, and how often each was asked for. */
class Blocks {
  readonly #blocks: BlockMap
  reads = 0

  constructor(blocks: Iterable<VerifiedBlock>) {
    this.#blocks = new BlockMap(blocks)
  }

  readonly get: GetBlock = async (cid: CID) => {
    this.reads += 1
    const block = await this.#blocks.get(cid)
    assert.ok(block !== undefined, `${cid.toString()} is not there`)
    return block
  }
}

function first(blocks: readonly VerifiedBlock[]): VerifiedBlock {
  assert.ok(blocks[0] !== undefined)
  return blocks[0]
}

/** 8,000 folders of one file each, root first. */
function manyFolders(): readonly VerifiedBlock[] {
  const x = leaf('x')
  const folders = Array.from({ length: 8000 }, (_, index) => directoryNode([{ cid: x.cid, name: `f${index}`, size: 1 }]))
  return [directoryNode(folders.map(({ cid }, index) => ({ cid, name: `${10_000 + index}` }))), ...folders, x]
}

describe('reading directories', () => {
  it('reads each shard once, and refuses one that occurs twice', async () => {
    const dag = shardBomb()
    const root = parseNode(first(dag))
    const actions: ((get: GetBlock) => Promise<unknown>)[] = [
      async get => await Array.fromAsync(directoryLinks(get, root, {})),
      async get => await Array.fromAsync(directoryEntries(get, root, {})),
      async get => await directorySize(get, root, {}),
      async get => await resolvePath(get, root.cid, ['missing'], {})
    ]
    for (const action of actions) {
      const blocks = new Blocks(dag)
      await assert.rejects(action(blocks.get), isCoded('INTEGRITY'))
      assert.ok(blocks.reads <= dag.length, `${blocks.reads} reads`)
    }
  })

  it('refuses shards with two links at one place, or with a link at none', async () => {
    const { cid } = leaf('x')
    const odd = [['00a', '00b'], ['0'], ['0ga'], ['0aa']].map(names => shardNode(names.map(name => ({ cid, name }))))
    for (const shard of odd)
      await assert.rejects(Array.fromAsync(directoryLinks(new Blocks([]).get, parseNode(shard), {})), isCoded('INTEGRITY'))
  })

  it('lists every entry of an honest sharded directory', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `name-${index}`)
    const files = names.map(path => ({ path: `r/${path}`, content: [Buffer.from(path)] }))
    const shape = { profile: 'unixfs-v1-2025' as const, shardSplitThresholdBytes: 0 }
    const { root, blocks } = await treeDag(files, shape)
    const { get } = new Blocks(blocks.values())
    const node = parseNode(await get(root, {}))
    assert.equal(node.kind, 'hamt')
    const links = await Array.fromAsync(directoryLinks(get, node, {}))
    assert.deepEqual(links.map(({ name }) => name).toSorted(), names.toSorted())
    const found = links.find(({ name }) => name === 'name-77')
    assert.equal(String(await resolvePath(get, root, ['name-77'], {})), String(found?.cid))
  })

  it('reads what entries share once', async () => {
    const dag = wideTree()
    const blocks = new Blocks(dag)
    const entries = await Array.fromAsync(directoryEntries(blocks.get, parseNode(first(dag)), {}))
    assert.deepEqual([entries.length, entries[0]?.type, blocks.reads], [16_000, 'directory', 1])
    assert.deepEqual([await directorySize(blocks.get, parseNode(first(dag)), {}), blocks.reads], [16_000 ** 2, 2])
  })

  it('sizes every node once, however often folders share it', async () => {
    const { root, blocks } = bomb('directory')
    const at = new Blocks(blocks)
    assert.equal(await directorySize(at.get, parseNode(await at.get(root, {})), {}), 174 ** 4)
    const big = fileNode([{ cid: leaf('x').cid, size: 1 }])
    const folders = ['a', 'b', 'c'].map(name => directoryNode([{ cid: big.cid, name }]))
    const top = directoryNode(folders.map(({ cid }, index) => ({ cid, name: `${index}` })))
    const shared = new Blocks([big, ...folders])
    assert.deepEqual([await directorySize(shared.get, parseNode(top), {}), shared.reads, at.reads], [3, 4, 4])
  })

  it('lets others have their turn and ends when it is told to, though every block is at hand', async () => {
    const dag = manyFolders()
    const root = parseNode(first(dag))
    const { get } = new Blocks(dag)
    const held = new BlockMap(dag)
    const shared = bomb('file')
    const file = parseNode(await new Blocks(shared.blocks).get(shared.root, {}))
    const actions: ((signal: AbortSignal) => Promise<unknown>)[] = [
      async signal => await Array.fromAsync(directoryEntries(get, root, { signal })),
      async signal => await directorySize(get, root, { signal }),
      async signal => await localBlocks(held, root.cid, { signal }),
      async signal => await isWhole(held, root.cid, { signal }),
      async signal => await Array.fromAsync(readFile(new Blocks(shared.blocks).get, file, { offset: 0 }, { signal }), () => 0)
    ]
    for (const action of actions) {
      const stop = new AbortController()
      setImmediate(() => {
        stop.abort(new KithError('CANCELLED', 'the caller left'))
      })
      await assert.rejects(action(stop.signal), isCoded('CANCELLED'))
    }
  })
})
