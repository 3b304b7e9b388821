import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import { writeOut } from '../../../src/content/write-out.ts'
import { parseNode } from '../../../src/dag/node.ts'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { directoryNode, leaf, symlinkNode } from '../../support/dag-nodes.ts'

const empty = directoryNode([])
const isIntegrity = (error: unknown): boolean => error instanceof KithError && error.code === 'INTEGRITY'

describe('writing a tree', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kith-out-'))
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  async function write(blocks: readonly VerifiedBlock[], root: VerifiedBlock): Promise<readonly string[]> {
    const get = async (cid: { toString(): string }): Promise<VerifiedBlock> => {
      const block = blocks.find(each => each.cid.toString() === cid.toString())
      if (block === undefined) throw new KithError('NOT_FOUND', 'a block that nobody has')
      return block
    }
    return (await writeOut(localFiles, get, parseNode(root), join(folder, 'out'), {})).skipped
  }

  it('writes files and folders under their names', async () => {
    const a = leaf('a')
    const sub = directoryNode([{ name: 'a.txt', cid: a.cid }])
    const root = directoryNode([{ name: 'sub', cid: sub.cid }])
    await write([a, sub, root], root)
    assert.equal(await readFile(join(folder, 'out', 'sub', 'a.txt'), 'utf8'), 'a')
  })

  it('leaves nothing of a tree that fails half-way, so that it can be tried again', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map(leaf)
    assert.ok(a !== undefined && b !== undefined && c !== undefined)
    const sub = directoryNode([{ name: 'b.txt', cid: b.cid }])
    const root = directoryNode([
      { name: 'a.txt', cid: a.cid },
      { name: 'sub', cid: sub.cid },
      { name: 'z.txt', cid: c.cid }
    ])
    await assert.rejects(write([a, b, sub, root], root), { code: 'NOT_FOUND' })
    assert.deepEqual(await readdir(folder), [])
    assert.deepEqual(await write([a, b, c, sub, root], root), [])
    assert.deepEqual((await readdir(folder, { recursive: true })).toSorted(), ['out', 'out/a.txt', 'out/sub', 'out/sub/b.txt', 'out/z.txt'])
  })

  it('leaves symbolic links out, and names them', async () => {
    const [a, link] = [leaf('a'), symlinkNode('/etc/passwd')]
    const sub = directoryNode([{ name: 'way-out', cid: link.cid }])
    const root = directoryNode([
      { name: 'a.txt', cid: a.cid },
      { name: 'link', cid: link.cid },
      { name: 'sub', cid: sub.cid }
    ])
    assert.deepEqual(await write([a, link, sub, root], root), ['link', 'sub/way-out'])
    assert.deepEqual((await readdir(join(folder, 'out'), { recursive: true })).toSorted(), ['a.txt', 'sub'])
  })

  it('refuses a folder that holds one name twice', async () => {
    const a = leaf('a')
    const root = directoryNode([
      { name: 'a', cid: a.cid },
      { name: 'a', cid: a.cid }
    ])
    await assert.rejects(write([a, root], root), isIntegrity)
    assert.deepEqual(await readdir(folder), [])
  })

  it('stops at a tree that unfolds from few blocks without end', async () => {
    const a = leaf('a')
    const blocks = [a, directoryNode([{ name: 'a', cid: a.cid }])]
    for (let level = 0; level < 3; level++) {
      const below = blocks.at(-1) ?? a
      blocks.push(directoryNode(Array.from({ length: 20 }, (_, index) => ({ name: `f${String(index).padStart(2, '0')}`, cid: below.cid }))))
    }
    await assert.rejects(write(blocks, blocks.at(-1) ?? a), isIntegrity)
  })

  it('stops at folders that are not many but unfold far', async () => {
    const wide = directoryNode(Array.from({ length: 600 }, (_, index) => ({ name: `${1000 + index}`, cid: empty.cid })))
    const root = directoryNode(Array.from({ length: 600 }, (_, index) => ({ name: `${1000 + index}`, cid: wide.cid })))
    await assert.rejects(write([empty, wide, root], root), isIntegrity)
    assert.deepEqual(await readdir(folder), [], 'nothing was written')
  })

  it('writes the same folder as often as an honest tree holds it', async () => {
    const sub = directoryNode([{ name: 'empty', cid: empty.cid }])
    const root = directoryNode(Array.from({ length: 40 }, (_, index) => ({ name: `${10 + index}`, cid: sub.cid })))
    await write([empty, sub, root], root)
    assert.equal((await readdir(join(folder, 'out'))).length, 40)
  })
})
