/** Import and export of CAR files, over realms in memory and real files. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CarBufferReader } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import { memoryRealmStore } from '../../../src/adapters/memory/memory-realm-store.ts'
import { exportCar } from '../../../src/content/export-car.ts'
import { CarImporter } from '../../../src/content/import-car.ts'
import { Library } from '../../../src/content/library.ts'
import { Putter, type PutInit } from '../../../src/content/put.ts'
import { carBlock, carHeader } from '../../../src/dag/car.ts'
import { KithError, type ErrorCode } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { hex, IDENTITY_CODE, RAW_CODEC } from '../../../src/model/content-id.ts'
import type { Realm } from '../../../src/model/privacy.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { distinctBytes, fileDag, memoryLibrary, treeDag, type MadeDag } from '../../support/dag-builder.ts'
import { bomb, directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1024 * 1024
const INIT: PutInit = { defaultPrivacy: 'private', maxFileSize: 0 }

describe('CAR files', () => {
  const clock = new VirtualClock()
  let library: Library
  let folder: string
  let path: string
  beforeEach(async () => {
    library = memoryLibrary()
    folder = await mkdtemp(join(tmpdir(), 'kith-car-'))
    path = join(folder, 'content.car')
  })
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  const events = () => new EventBus({ clock })
  const importer = (init: Partial<PutInit> = {}) =>
    new CarImporter({ library, files: localFiles, clock, events: events() }, { ...INIT, ...init })
  const putter = () => new Putter({ library, files: localFiles, clock, events: events() }, INIT)
  const write = async (roots: readonly CID[], blocks: Iterable<{ cid: CID; bytes: Uint8Array }>) => {
    await writeFile(path, Buffer.concat([carHeader(roots), ...[...blocks].flatMap(({ cid, bytes }) => carBlock(cid, bytes))]))
  }
  const usage = (realm: Realm) => library.realms[realm].blocks.usage().blocks
  const withheld = async (realm: Realm) => {
    const hashes = await Array.fromAsync(library.realms[realm].blocks.keys())
    return hashes.filter(hash => library.realms[realm].withheld.has(hash)).length
  }

  /** Fails with the code, and leaves nothing in any realm. */
  const refused = async (code: ErrorCode, request: { privacy?: 'public' | 'private'; by?: string } = {}, init: Partial<PutInit> = {}) => {
    const before = [usage('own'), usage('public'), library.realms.own.records.count(), library.realms.public.records.count()]
    let thrown: unknown
    await importer(init)
      .import({ path, ...request }, {})
      .catch((error: unknown) => (thrown = error))
    assert.ok(thrown instanceof KithError, String(thrown))
    assert.equal(thrown.code, code, thrown.message)
    assert.deepEqual(
      [usage('own'), usage('public'), library.realms.own.records.count(), library.realms.public.records.count()],
      before,
      'nothing stays'
    )
    return thrown
  }

  async function tree(): Promise<MadeDag> {
    return await treeDag([
      { path: 'r/a.txt', content: [Buffer.from('a')] },
      { path: 'r/big.bin', content: [distinctBytes(2 * MIB + 7)] },
      { path: 'r/sub/b.txt', content: [Buffer.from('b')] }
    ])
  }

  describe('import', () => {
    it('makes every root a pinned private content, with its hash, its size and its blocks', async () => {
      const bytes = distinctBytes(3 * MIB + 1)
      const [file, folderDag, small] = [await fileDag(bytes), await tree(), leaf('small')]
      await write([file.root, folderDag.root, small.cid], [...file.blocks.values(), ...folderDag.blocks.values(), small])
      const result = await importer().import({ path, by: 'app' }, {})
      const distinct = new Set([...file.blocks.keys(), ...folderDag.blocks.keys()]).size + 1
      assert.deepEqual(
        [result.roots, result.blocks, result.publicRoots],
        [[file.root, folderDag.root, small.cid].map(String), distinct, []]
      )
      assert.equal(result.bytes, library.realms.own.blocks.usage().bytes)
      const record = library.realms.own.records.get(file.root)
      assert.ok(record?.sha256 !== undefined)
      assert.deepEqual(
        [hex(record.sha256), record.size, record.blocks, record.kind, record.pinned, record.putBy],
        [hex(sha256(bytes)), bytes.byteLength, file.blocks.size, 'file', true, ['app']]
      )
      const directory = library.realms.own.records.get(folderDag.root)
      assert.deepEqual([directory?.kind, directory?.size, directory?.sha256], ['directory', 2 * MIB + 9, undefined])
      assert.equal(await withheld('own'), 0)
    })

    it('keeps no block that no root reaches, and takes nothing away that was there', async () => {
      const dag = await fileDag(distinctBytes(2 * MIB))
      const before = await putter().put({ bytes: distinctBytes(1000) }, {}, {})
      await write([dag.root], [leaf('stray'), ...dag.blocks.values(), leaf(distinctBytes(1000))])
      assert.equal((await importer().import({ path }, {})).blocks, dag.blocks.size)
      assert.equal(usage('own'), dag.blocks.size + 1)
      assert.notEqual(await library.realms.own.blocks.get(CID.parse(before.cid)), undefined)
      assert.equal(await library.realms.own.blocks.get(leaf('stray').cid), undefined)
    })

    it('counts on blocks that are here already, and names those that are nowhere', async () => {
      const dag = await fileDag(distinctBytes(2 * MIB))
      const [first, ...rest] = [...dag.blocks.values()].filter(({ cid }) => cid.code === RAW_CODEC)
      assert.ok(first !== undefined)
      const without = [...dag.blocks.values()].filter(block => block !== first)
      await write([dag.root], without)
      const error = await refused('INTEGRITY')
      assert.deepEqual(error.data['missing'], [first.cid.toString()])
      assert.match(error.message, new RegExp(first.cid.toString()))
      await putter().put({ bytes: first.bytes }, {}, {})
      const stolen = await refused('INTEGRITY', { by: 'app' })
      assert.deepEqual(stolen.data['missing'], [first.cid.toString()], 'a token gets at no block that it did not bring')
      assert.equal((await importer().import({ path }, {})).blocks, dag.blocks.size)
      assert.equal(rest.length, 1)
    })

    it('gives the record of a content that is public here its blocks, and keeps no private copy', async () => {
      const bytes = distinctBytes(2 * MIB)
      const dag = await fileDag(bytes)
      await putter().put({ bytes }, { privacy: 'public' }, {})
      await write([dag.root, leaf('mine').cid], [...dag.blocks.values(), leaf('mine')])
      const result = await importer().import({ path }, {})
      assert.deepEqual([result.publicRoots.map(String), usage('own'), usage('public')], [[dag.root.toString()], 1, dag.blocks.size])
      await refused('ALREADY_PUBLIC', { privacy: 'private' })
    })

    it('refuses to make private content public, and stores public content where everybody may have it', async () => {
      const dag = await fileDag(distinctBytes(2 * MIB))
      await write([dag.root], dag.blocks.values())
      assert.deepEqual((await importer().import({ path, privacy: 'public' }, {})).publicRoots.map(String), [dag.root.toString()])
      await putter().put({ bytes: distinctBytes(5000) }, {}, {})
      const secret = leaf(distinctBytes(5000))
      await write([secret.cid], [secret])
      await refused('CONFLICT', { privacy: 'public' })
    })

    it('passes over blocks of kinds that are not supported, and identity roots', async () => {
      const inline = CID.createV1(RAW_CODEC, createDigest(IDENTITY_CODE, Buffer.from('hi')))
      const cbor = CID.createV1(0x71, leaf('x').cid.multihash)
      await write(
        [inline, leaf('kept').cid],
        [{ cid: inline, bytes: Buffer.from('hi') }, { cid: cbor, bytes: Buffer.from('not x') }, leaf('kept')]
      )
      const result = await importer().import({ path }, {})
      assert.deepEqual([result.roots, result.blocks, usage('own')], [[leaf('kept').cid.toString()], 1, 1])
      assert.equal(library.realms.own.records.count(), 1)
    })

    it('takes a bomb of five blocks in five steps, without hashing what it unfolds to', async () => {
      const { root, blocks } = bomb('file') // 916 MB in pieces of one byte
      await write([root], blocks)
      assert.equal((await importer().import({ path }, {})).blocks, 5)
      assert.equal(library.realms.own.records.get(root)?.sha256, undefined)
    })

    const wrong = leaf('right')
    const symlinkRoot = directoryNode([])
    const bad: [what: string, code: ErrorCode, roots: readonly CID[], blocks: readonly { cid: CID; bytes: Uint8Array }[]][] = [
      ['no roots', 'INVALID_PARAMS', [], [leaf('x')]],
      ['a block with wrong bytes', 'INTEGRITY', [leaf('x').cid], [leaf('x'), { cid: wrong.cid, bytes: Buffer.from('wrong') }]],
      ['a root that is not in it', 'INTEGRITY', [leaf('x').cid], [symlinkRoot]],
      ['a root of another codec', 'INVALID_CONTENT', [CID.createV1(0x71, leaf('x').cid.multihash)], [leaf('x')]],
      [
        'a root that lies about sizes',
        'INTEGRITY',
        [fileNode([{ cid: leaf('x').cid, size: 5 }]).cid],
        [fileNode([{ cid: leaf('x').cid, size: 5 }]), leaf('x')]
      ],
      [
        'a folder with a name that leads out of it',
        'INTEGRITY',
        [directoryNode([{ cid: leaf('x').cid, name: '../x' }]).cid],
        [directoryNode([{ cid: leaf('x').cid, name: '../x' }]), leaf('x')]
      ]
    ]
    for (const [what, code, roots, blocks] of bad) {
      it(`refuses ${what} with ${code}, and nothing stays`, async () => {
        await write(roots, blocks)
        await refused(code)
      })
    }

    it('refuses a directory that holds one name twice, wherever in a tree', async () => {
      const [a, b] = [leaf('a'), leaf('b')]
      const twice = directoryNode([
        { name: 'x', cid: a.cid },
        { name: 'x', cid: b.cid }
      ])
      const above = directoryNode([{ name: 'sub', cid: twice.cid }])
      for (const root of [twice, above]) {
        await write([root.cid], [root, twice, a, b])
        await refused('INTEGRITY')
      }
    })

    it('refuses half a file, garbage, a folder and nothing at all, and nothing stays', async () => {
      const dag = await fileDag(distinctBytes(2 * MIB))
      await write([dag.root], dag.blocks.values())
      await writeFile(path, (await readFile(path)).subarray(0, 1_500_000))
      await refused('INTEGRITY')
      await writeFile(path, distinctBytes(10_000))
      await refused('INTEGRITY')
      path = folder
      await refused('INVALID_PARAMS')
      path = join(folder, 'nothing')
      await refused('INVALID_PARAMS')
    })

    it('holds to the limits of a put: size, types, quota', async () => {
      const dag = await fileDag(distinctBytes(2 * MIB))
      await write([dag.root], dag.blocks.values())
      await refused('TOO_LARGE', {}, { maxFileSize: MIB })
      await refused('INVALID_PARAMS', {}, { allowedTypes: ['image/*'] })
      library = new Library({
        realms: { public: memoryRealmStore(), cache: memoryRealmStore(), own: memoryRealmStore({ maxBytes: MIB }) },
        keyedDigest: bytes => bytes
      })
      await refused('QUOTA_EXCEEDED')
    })

    it('ends when its caller gives up, and nothing stays', async () => {
      const dag = await fileDag(distinctBytes(3 * MIB))
      await write([dag.root], dag.blocks.values())
      const stop = new AbortController()
      const onProgress = (): void => {
        stop.abort(new KithError('CANCELLED', 'enough'))
      }
      await assert.rejects(importer().import({ path }, { signal: stop.signal, onProgress }), /enough/)
      assert.equal(usage('own'), 0)
    })
  })

  describe('export', () => {
    const getFrom =
      (realm: Realm) =>
      async (cid: CID): Promise<VerifiedBlock> => {
        const block = await library.realms[realm].blocks.get(cid)
        if (block === undefined) throw new KithError('NOT_FOUND', `block ${cid.toString()} is not here`)
        return block
      }

    it('writes what the reference implementation reads, and what import takes back', async () => {
      const dag = await tree()
      for (const block of dag.blocks.values()) await library.realms.public.blocks.put(block)
      const told: number[] = []
      const result = await exportCar(localFiles, dag.root, getFrom('public'), path, { onBytes: bytes => told.push(bytes) })
      const file = await readFile(path)
      assert.deepEqual(result, { roots: [dag.root.toString()], blocks: dag.blocks.size, bytes: file.byteLength })
      assert.equal(told.at(-1), file.byteLength)
      const car = CarBufferReader.fromBytes(file)
      assert.deepEqual([car.getRoots().map(String), car.blocks().length], [[dag.root.toString()], dag.blocks.size])
      assert.equal((await importer().import({ path }, {})).blocks, dag.blocks.size)
      assert.equal(usage('own'), dag.blocks.size)
    })

    it('overwrites nothing, and leaves no file behind when a block is missing', async () => {
      const root = directoryNode([{ cid: leaf('gone').cid, name: 'gone' }])
      await library.realms.own.blocks.put(root)
      await assert.rejects(
        exportCar(localFiles, root.cid, getFrom('own'), path, {}),
        error => error instanceof KithError && error.code === 'NOT_FOUND'
      )
      assert.deepEqual(await readdir(folder), [])
      await writeFile(path, 'mine')
      await assert.rejects(
        exportCar(localFiles, root.cid, getFrom('own'), path, {}),
        error => error instanceof KithError && error.code === 'CONFLICT'
      )
      assert.equal(await readFile(path, 'utf8'), 'mine')
    })
  })
})
