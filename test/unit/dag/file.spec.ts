import assert from 'node:assert/strict'
import fc from 'fast-check'
import { getNode, readFile, type ByteRange, type GetBlock } from '../../../src/dag/file.ts'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { BlockMap, directoryNode, fileNode, leaf, type Child } from '../../support/dag-nodes.ts'

const bytesOf = (block: VerifiedBlock): Uint8Array => block.bytes

/** A file of `levels` levels, `width` links a node, `chunk` bytes a leaf: and its content. */
function tree(levels: number, width: number, chunk: number): { root: VerifiedBlock; content: Buffer; blocks: VerifiedBlock[] } {
  let count = 0
  const blocks: VerifiedBlock[] = []
  const make = (level: number): { block: VerifiedBlock; content: Buffer } => {
    if (level === 0) {
      const block = leaf(`${count++}`.padStart(chunk, '.'))
      blocks.push(block)
      return { block, content: Buffer.from(bytesOf(block)) }
    }
    const children = Array.from({ length: width }, () => make(level - 1))
    const block = fileNode(children.map((child): Child => ({ cid: child.block.cid, size: child.content.byteLength })))
    blocks.push(block)
    return { block, content: Buffer.concat(children.map(child => child.content)) }
  }
  const { block, content } = make(levels)
  return { root: block, content, blocks }
}

async function read(
  blocks: readonly VerifiedBlock[],
  root: VerifiedBlock,
  range: ByteRange = { offset: 0 }
): Promise<{ bytes: Buffer; asked: number }> {
  const map = new BlockMap(blocks)
  let asked = 0
  const get: GetBlock = async cid => {
    asked++
    const block = await map.get(cid)
    if (block === undefined) throw new KithError('NOT_FOUND', 'missing')
    return block
  }
  const node = await getNode(get, root.cid, {})
  const parts: Uint8Array[] = []
  for await (const part of readFile(get, node, range, {})) parts.push(part)
  return { bytes: Buffer.concat(parts), asked }
}

const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KithError && error.code === code

describe('readFile', () => {
  it('reads any range of a tree of many levels', async () => {
    const { root, content, blocks } = tree(3, 4, 5)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(content.byteLength + 5),
        fc.option(fc.nat(content.byteLength + 5), { nil: undefined }),
        async (offset, length) => {
          const want = content.subarray(offset, length === undefined ? undefined : offset + length)
          assert.deepEqual((await read(blocks, root, { offset, length })).bytes, want)
        }
      )
    )
  })

  it('reads no more blocks than a range needs', async () => {
    const { root, blocks } = tree(3, 4, 5)
    assert.equal((await read(blocks, root, { offset: 101, length: 1 })).asked, 1 + 2 + 1)
    assert.equal((await read(blocks, root, { offset: 10_000 })).asked, 1)
    assert.equal((await read(blocks, root, { offset: 0, length: 0 })).asked, 1)
  })

  it('reads bytes that a node holds itself before those of its links', async () => {
    const below = leaf('below')
    const root = fileNode([{ cid: below.cid, size: 5 }], new TextEncoder().encode('own '))
    assert.equal((await read([below, root], root)).bytes.toString(), 'own below')
    assert.equal((await read([below, root], root, { offset: 2, length: 4 })).bytes.toString(), 'n be')
  })

  it('ends with INTEGRITY where a node lies about the size of a leaf', async () => {
    const below = leaf('five!')
    for (const size of [4, 6]) {
      const root = fileNode([{ cid: below.cid, size }])
      await assert.rejects(read([below, root], root), isCode('INTEGRITY'))
    }
  })

  it('ends with INTEGRITY where a node lies about the size of a node', async () => {
    const below = leaf('five!')
    const middle = fileNode([{ cid: below.cid, size: 5 }])
    const root = fileNode([{ cid: middle.cid, size: 7 }])
    await assert.rejects(read([below, middle, root], root), isCode('INTEGRITY'))
  })

  it('hands out nothing that comes after a lie', async () => {
    const [first, second] = [leaf('first'), leaf('second')]
    const root = fileNode([
      { cid: first.cid, size: 4 },
      { cid: second.cid, size: 6 }
    ])
    const get: GetBlock = async cid => (cid.equals(first.cid) ? first : second)
    const seen: string[] = []
    await assert.rejects(async () => {
      for await (const part of readFile(get, await getNode(async () => root, root.cid, {}), { offset: 0 }, {}))
        seen.push(Buffer.from(part).toString())
    }, isCode('INTEGRITY'))
    assert.deepEqual(seen, [])
  })

  it('refuses directories, and files with a directory inside', async () => {
    const folder = directoryNode([])
    await assert.rejects(read([folder], folder), isCode('IS_DIRECTORY'))
    const root = fileNode([{ cid: folder.cid, size: 3 }])
    await assert.rejects(read([folder, root], root), error => error instanceof KithError)
  })

  it('refuses a file that nests deeper than any importer makes', async () => {
    const blocks = [leaf('x')]
    for (let depth = 0; depth < 40; depth++) blocks.push(fileNode([{ cid: (blocks.at(-1) ?? leaf('x')).cid, size: 1 }]))
    await assert.rejects(read(blocks, blocks.at(-1) ?? leaf('x')), isCode('INTEGRITY'))
  })

  it('ends when its signal fires, however far a hostile file unfolds', async () => {
    const only = leaf('x')
    const root = fileNode(Array.from({ length: 1000 }, () => ({ cid: only.cid, size: 1 })))
    const controller = new AbortController()
    let pieces = 0
    const get: GetBlock = async (_cid, { signal }) => {
      signal?.throwIfAborted()
      return only
    }
    await assert.rejects(async () => {
      for await (const _part of readFile(get, await getNode(async () => root, root.cid, {}), { offset: 0 }, controller))
        if (++pieces === 10) controller.abort()
    })
    assert.equal(pieces < 20, true)
  })
})
