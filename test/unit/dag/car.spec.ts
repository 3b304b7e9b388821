/** CAR framing, against the reference implementation (@ipld/car) and against hostile files. */
import assert from 'node:assert/strict'
import { CarBufferReader, CarWriter } from '@ipld/car'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { carBlock, carHeader, carOf, openCar, type OpenCar } from '../../../src/dag/car.ts'
import type { GetBlock } from '../../../src/dag/file.ts'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { IDENTITY_CODE, RAW_CODEC } from '../../../src/model/content-id.ts'
import { MIB } from '../../../src/model/units.ts'
import { distinctBytes, fileDag } from '../../support/dag-builder.ts'
import { BlockMap, bomb, directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'

const PRAGMA = Buffer.from('0aa16776657273696f6e02', 'hex')

async function* chunked(bytes: Uint8Array, size = bytes.byteLength): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(parts))
}

async function contents(car: OpenCar): Promise<[string, string][]> {
  return (await Array.fromAsync(car.blocks())).map(({ cid, bytes }) => [cid.toString(), Buffer.from(bytes).toString('base64')])
}

const plain = (blocks: Iterable<{ cid: CID; bytes: Uint8Array }>): [string, string][] =>
  [...blocks].map(({ cid, bytes }) => [cid.toString(), Buffer.from(bytes).toString('base64')])

/** A file as the reference implementation writes it. */
async function written(roots: CID[], blocks: Iterable<VerifiedBlock>): Promise<Buffer> {
  const { writer, out } = CarWriter.create(roots)
  const bytes = joined(out)
  for (const block of blocks) await writer.put(block)
  await writer.close()
  return await bytes
}

function version2(inner: Uint8Array, { padding = 0, index = Buffer.alloc(0), size = inner.byteLength } = {}): Buffer {
  const fixed = Buffer.alloc(40)
  fixed.writeBigUInt64LE(BigInt(51 + padding), 16)
  fixed.writeBigUInt64LE(BigInt(size), 24)
  return Buffer.concat([PRAGMA, fixed, Buffer.alloc(padding), inner, index])
}

function getFrom(blocks: Iterable<VerifiedBlock>): GetBlock {
  const map = new BlockMap(blocks)
  return async cid => {
    const block = await map.get(cid)
    if (block === undefined) throw new KithError('NOT_FOUND', 'missing')
    return block
  }
}

const identityCid = (bytes: Uint8Array): CID => CID.createV1(RAW_CODEC, createDigest(IDENTITY_CODE, bytes))

describe('a CAR', () => {
  const blocks = [leaf('one'), leaf('two'), leaf(distinctBytes(100_000)), leaf('')]
  const roots = blocks.slice(0, 2).map(block => block.cid)

  it('written by the reference implementation is read, in chunks of any size, in both versions', async () => {
    const file = await written(roots, blocks)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4096 }), fc.boolean(), fc.nat(70), async (size, isV2, padding) => {
        const bytes = isV2 ? version2(file, { padding, index: Buffer.from('an index') }) : file
        const car = await openCar(chunked(bytes, size))
        assert.equal(car.version, isV2 ? 2 : 1)
        assert.deepEqual(car.roots.map(String), roots.map(String))
        assert.deepEqual(await contents(car), plain(blocks))
      }),
      { numRuns: 30 }
    )
  })

  it('written here is read by the reference implementation, byte for byte what that would write', async () => {
    const ours = Buffer.concat([carHeader(roots), ...blocks.flatMap(({ cid, bytes }) => carBlock(cid, bytes))])
    assert.deepEqual(ours, await written(roots, blocks))
    const theirs = CarBufferReader.fromBytes(ours)
    assert.deepEqual(theirs.getRoots().map(String), roots.map(String))
    assert.deepEqual(plain(theirs.blocks()), plain(blocks))
  })

  it('may name roots of the old form, and no roots and no blocks', async () => {
    const v0 = CID.parse('QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn')
    const car = await openCar(chunked(await written([v0], [])))
    assert.deepEqual([car.roots.map(String), await contents(car)], [[v0.toString()], []])
    assert.deepEqual((await openCar(chunked(carHeader([])))).roots, [])
  })

  it('lets go of its source when reading ends, early or not, and when the header is bad', async () => {
    const file = await written(roots, blocks)
    let open = 0
    async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      open++
      try {
        yield* chunked(bytes, 10)
      } finally {
        open--
      }
    }
    for await (const block of (await openCar(source(file))).blocks()) if (block.bytes.byteLength === 3) break
    await (await openCar(source(file))).close()
    await assert.rejects(openCar(source(Buffer.from('no CAR at all, but long enough'))))
    assert.equal(open, 0)
  })

  describe('that lies', () => {
    const file = Buffer.concat([carHeader(roots), ...carBlock(leaf('one').cid, Buffer.from('one'))])
    const header = carHeader(roots)
    const huge = Buffer.from('ffffff7f', 'hex') // 2^28 − 1
    const section = (bytes: Uint8Array): Buffer => Buffer.concat([header, Uint8Array.of(bytes.byteLength), bytes])
    const cases: [what: string, bytes: Uint8Array, says: RegExp][] = [
      ['nothing at all', Buffer.alloc(0), /ends before its header/],
      ['a header of 256 MiB', huge, /declares a header of 268435455 bytes/],
      ['an empty header', Buffer.from([0]), /header of 0 bytes/],
      ['a header that is no CBOR', Buffer.from([2, 0xff, 0xff]), /header cannot be read/],
      ['a header that is text', Buffer.from([2, 0x61, 0x61]), /not a map/],
      ['version 3', Buffer.from('0aa16776657273696f6e03', 'hex'), /names no version/],
      ['version 1 without roots', Buffer.from('0aa16776657273696f6e01', 'hex'), /lists no roots/],
      ['roots that are no CIDs', Buffer.from('12a265726f6f7473810a6776657273696f6e01', 'hex'), /root that is not a CID/],
      ['1,001 roots', Buffer.from(carHeader(Array.from({ length: 1001 }, () => leaf('one').cid))), /1001 roots/],
      ['brackets 100,000 deep', Buffer.concat([Buffer.from('a08d06', 'hex'), Buffer.alloc(100_000, 0x81)]), /header cannot be read/],
      ['a header cut off', header.subarray(0, 20), /too early/],
      ['a block of 256 MiB', Buffer.concat([header, huge]), /declares a block of 268435455 bytes/],
      ['a block of 2³¹ bytes', Buffer.concat([header, Buffer.from('8080808008', 'hex')]), /larger than anything/],
      ['a length not in its shortest form', Buffer.concat([header, Buffer.from('8100', 'hex')]), /shortest form/],
      ['a block without an address', Buffer.concat([header, Buffer.from([0])]), /block of 0 bytes/],
      ['a block cut off', file.subarray(0, -1), /1 bytes too early/],
      ['a block whose address is cut off', section(leaf('one').cid.bytes.subarray(0, 30)), /address of a block cannot be read/],
      ['an address of an unknown version', section(Uint8Array.of(7, 0x55, 0, 0)), /address of a block cannot be read/],
      ['an address with padded numbers', section(Uint8Array.of(1, 0xd5, 0, 0, 1, 65)), /not minimally encoded/],
      [
        'an identity address over 128 bytes',
        Buffer.concat([header, ...carBlock(identityCid(Buffer.alloc(129)), Buffer.alloc(129))]),
        /digest of 129/
      ],
      ['a block over 2 MiB', Buffer.concat([header, ...carBlock(leaf('x').cid, Buffer.alloc(2 * MIB + 1))]), /more than 2097152/],
      ['data inside the header of version 2', Buffer.concat([PRAGMA, Buffer.alloc(40)]), /cannot lie at 0/],
      ['data beyond any file', Buffer.concat([PRAGMA, Buffer.alloc(40, 0xff)]), /cannot lie at/],
      ['data beyond the end', version2(file).fill(0xff, 11 + 16, 11 + 20), /too early/],
      ['data that end within a block', version2(file, { size: file.byteLength - 2 }), /too early/],
      ['data longer than the file', version2(file, { size: file.byteLength + 2 }), /too early/],
      ['a version 2 within version 2', version2(PRAGMA), /not version 1/]
    ]
    for (const [what, bytes, says] of cases) {
      it(`with ${what} is refused, saying where`, async () => {
        const reading = async (): Promise<void> => {
          for await (const _ of (await openCar(chunked(bytes, 1000))).blocks()) continue
        }
        await assert.rejects(reading(), error => {
          assert.ok(error instanceof KithError)
          assert.equal(error.code, 'INTEGRITY')
          assert.match(error.message, /at byte \d+/)
          assert.match(error.message, says)
          return true
        })
      })
    }

    it('in any way a random change makes it lie ends in blocks or in an INTEGRITY error', async () => {
      const good = await written(roots, [leaf('one'), leaf('two')])
      await fc.assert(
        fc.asyncProperty(fc.nat(good.byteLength - 1), fc.nat(255), async (at, value) => {
          const bytes = Buffer.from(good)
          bytes[at] = value
          try {
            await contents(await openCar(chunked(bytes, 7)))
          } catch (error) {
            assert.ok(error instanceof KithError && error.code === 'INTEGRITY', String(error))
          }
        })
      )
    })
  })
})

describe('carOf', () => {
  it('gives a file as the reference implementation reads it: root first, every block once', async () => {
    const dag = await fileDag(distinctBytes(3 * MIB + 5))
    const car = CarBufferReader.fromBytes(await joined(carOf(dag.root, getFrom(dag.blocks.values()), {})))
    assert.deepEqual(car.getRoots().map(String), [dag.root.toString()])
    const read = [...car.blocks()]
    assert.equal(read[0]?.cid.toString(), dag.root.toString())
    assert.equal(read.length, dag.blocks.size)
  })

  it('goes depth first, and names a block where it is first met', async () => {
    const [a, b, c] = [leaf('a'), leaf('b'), leaf('c')]
    const low = directoryNode([{ cid: c.cid, name: 'c' }])
    const left = directoryNode([
      { cid: a.cid, name: 'a' },
      { cid: low.cid, name: 'low' }
    ])
    const root = directoryNode([
      { cid: left.cid, name: '1' },
      { cid: b.cid, name: '2' },
      { cid: low.cid, name: '3' },
      { cid: left.cid, name: '4' }
    ])
    const order = CarBufferReader.fromBytes(await joined(carOf(root.cid, getFrom([a, b, c, low, left, root]), {}))).blocks()
    assert.deepEqual(
      [...order].map(({ cid }) => cid.toString()),
      [root, left, a, low, c, b].map(({ cid }) => cid.toString())
    )
  })

  it('leaves out identity blocks, as a root and below one', async () => {
    const inline = identityCid(Buffer.from('hello'))
    assert.deepEqual(await joined(carOf(inline, getFrom([]), {})), Buffer.from(carHeader([inline])))
    const root = fileNode([{ cid: inline, size: 5 }])
    const car = CarBufferReader.fromBytes(await joined(carOf(root.cid, getFrom([root]), {})))
    assert.deepEqual(
      car.blocks().map(({ cid }) => cid.toString()),
      [root.cid.toString()]
    )
  })

  for (const kind of ['file', 'directory'] as const) {
    it(`takes five steps for a ${kind} bomb of five blocks and 916 million paths`, async () => {
      const { root, blocks } = bomb(kind)
      assert.equal(CarBufferReader.fromBytes(await joined(carOf(root, getFrom(blocks), {}))).blocks().length, 5)
    })
  }

  it('ends with INTEGRITY at a chain deeper than any honest tree', async () => {
    const chain = [directoryNode([])]
    for (let depth = 1; depth < 1100; depth++) chain.push(directoryNode([{ cid: chain.at(-1)?.cid ?? leaf('').cid, name: 'd' }]))
    const get = getFrom(chain)
    await assert.rejects(
      joined(carOf(chain.at(-1)?.cid ?? leaf('').cid, get, {})),
      error => error instanceof KithError && error.code === 'INTEGRITY'
    )
  })

  it('ends with what the reader of a missing block says, and stops when its caller gives up', async () => {
    const root = directoryNode([{ cid: leaf('gone').cid, name: 'gone' }])
    await assert.rejects(joined(carOf(root.cid, getFrom([root]), {})), /missing/)
    await assert.rejects(joined(carOf(root.cid, getFrom([root]), { signal: AbortSignal.abort(new Error('enough')) })), /enough/)
  })
})
