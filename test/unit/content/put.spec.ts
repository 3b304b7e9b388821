import assert from 'node:assert/strict'
import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import type { Library } from '../../../src/content/library.ts'
import { Putter } from '../../../src/content/put.ts'
import { removeContent } from '../../../src/content/remove.ts'
import { KithError } from '../../../src/errors.ts'
import { parseContent } from '../../../src/model/content-id.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { distinctBytes, fileDag, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1024 * 1024
const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KithError && error.code === code

describe('put', () => {
  let library: Library
  let putter: Putter
  const clock = new VirtualClock()
  beforeEach(() => {
    library = memoryLibrary()
    putter = new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 0 }
    )
  })
  const sevens = (n: number) => ({ bytes: new Uint8Array(n).fill(7) })

  const vectors: [number, string][] = [
    [0, 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
    [11, 'bafkreigbyewtywnethcrhahbphbwcqlyecrpdyshomjtttzunbh3o74m6e'],
    [MIB, 'bafkreicrwexlqodtfn4gwtkfyzqks5g56odavyeqqt6ssp5g4xpumwa2nq'],
    [MIB + 1, 'bafybeigjlpad4kropgqbvvtp4leb45zzlmlgtwcnswuiq4au36xg6a4ibq'],
    [3 * MIB, 'bafybeihdndb4izktxzkwahg3pwgg4f3ijstijw4522czwyhfl4r4noyliq']
  ]
  for (const [size, cid] of vectors) {
    it(`gives ${size} bytes of value 7 the CID of the field`, async () => {
      const result = await putter.put(sevens(size), {}, {})
      assert.equal(result.cid, cid)
      assert.equal(result.size, size)
      assert.equal(result.uri, `kith://${cid}`)
      assert.equal(library.find(parseContent(`sha256:${result.sha256 ?? ''}`))?.record.root.toString(), cid)
    })
  }

  it('stores equal leaves once and counts distinct blocks', async () => {
    const result = await putter.put(sevens(3 * MIB), {}, {})
    assert.deepEqual([result.blocks, result.newBlocks], [2, 2])
    assert.deepEqual([(await putter.put(sevens(3 * MIB), {}, {})).newBlocks], [0])
  })

  it('keeps public and private in their own realms', async () => {
    await putter.put(sevens(11), { privacy: 'public' }, {})
    await putter.put(sevens(12), {}, {})
    assert.equal(library.realms.public.blocks.usage().blocks, 1)
    assert.equal(library.realms.own.blocks.usage().blocks, 1)
  })

  it('says public when a put without a class brings what is public here already, and keeps no private copy', async () => {
    await putter.put(sevens(11), { privacy: 'public' }, {})
    const again = await putter.put(sevens(11), {}, {})
    assert.equal(again.privacy, 'public')
    assert.equal(library.realms.own.blocks.usage().blocks, 0)
    await assert.rejects(putter.put(sevens(11), { privacy: 'private' }, {}), hasCode('ALREADY_PUBLIC'))
  })

  it('refuses to make private content public by a put, and leaves nothing of it in the public realm', async () => {
    await putter.put(sevens(11), {}, {})
    await assert.rejects(putter.put(sevens(11), { privacy: 'public' }, {}), hasCode('CONFLICT'))
    assert.equal(library.realms.public.blocks.usage().blocks, 0)
  })

  it('serves nobody the blocks of a put that is not acknowledged', async () => {
    const gate = Promise.withResolvers<void>()
    const first = distinctBytes(MIB)
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield first
      yield* beyondOneBatch()
      await gate.promise
    }
    const leaf = CID.parse((await memoryPut(first)).cid)
    const view = library.served(['public'])
    const put = putter.put({ stream: slow() }, { privacy: 'public' }, {})
    while (!(await library.realms.public.blocks.has(leaf))) await new Promise(resolve => setImmediate(resolve))
    assert.equal(await view.has(leaf), false)
    assert.equal(await view.get(leaf), undefined)
    gate.resolve()
    await put
    assert.equal(await view.has(leaf), true)
  })

  it('takes back the blocks of a put that fails, but not those another put counts on', async () => {
    const shared = distinctBytes(MIB)
    const gate = Promise.withResolvers<void>()
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield shared
      yield* beyondOneBatch()
      await gate.promise
      throw new KithError('UNAVAILABLE', 'the source broke')
    }
    const leaf = CID.parse((await memoryPut(shared)).cid)
    const lost = putter.put({ stream: failing() }, {}, {})
    while (!(await library.realms.own.blocks.has(leaf))) await new Promise(resolve => setImmediate(resolve))
    await putter.put({ bytes: shared }, {}, {})
    gate.resolve()
    await assert.rejects(lost, hasCode('UNAVAILABLE'))
    assert.equal(library.realms.own.blocks.usage().blocks, 1)
    assert.ok(await library.realms.own.blocks.has(leaf))
  })

  it('stops a stream that is larger than the limit', async () => {
    const bounded = new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 2 * MIB }
    )
    await assert.rejects(bounded.put(sevens(2 * MIB + 1), {}, {}), hasCode('TOO_LARGE'))
    assert.equal(library.realms.own.blocks.usage().blocks, 0)
  })

  it('counts all files of a folder together against the limit', async () => {
    const bounded = new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 3000 }
    )
    const entries = [1, 2].map(seed => ({ path: `${seed}`, data: distinctBytes(1500, seed) }))
    assert.equal((await bounded.put({ entries }, {}, {})).size, 3000)
    await assert.rejects(bounded.put({ entries: [...entries, { path: '3', data: distinctBytes(1) }] }, {}, {}), hasCode('TOO_LARGE'))
  })

  it('takes the types that are allowed and no others', async () => {
    const choosy = new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 0, allowedTypes: ['image/*', 'text/plain'] }
    )
    for (const contentType of ['image/png', 'IMAGE/JPEG', 'text/plain; charset=utf-8']) await choosy.put(sevens(3), { contentType }, {})
    for (const contentType of ['text/html', 'imagery/png', 'image'])
      await assert.rejects(choosy.put(sevens(4), { contentType }, {}), hasCode('INVALID_PARAMS'))
    await assert.rejects(choosy.put(sevens(4), {}, {}), hasCode('INVALID_PARAMS'))
    assert.equal(library.realms.own.blocks.usage().blocks, 1)
  })

  it('notes every token that put a content, and keeps its name when others put it too', async () => {
    const names = async (by?: string): Promise<readonly string[] | undefined> => {
      const { cid } = await putter.put(sevens(3), by === undefined ? {} : { by }, {})
      return library.findRoot(CID.parse(cid))?.record.putBy
    }
    assert.equal(await names(), undefined)
    assert.deepEqual(await names('app'), ['*', 'app'], 'the operator put it first')
    assert.deepEqual(await names('backup'), ['*', 'app', 'backup'])
    assert.deepEqual(await names('app'), ['*', 'app', 'backup'])
    assert.deepEqual(await names(), ['*', 'app', 'backup'])
  })

  it('gives a folder of this machine one root, and names what it left out', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kith-put-'))
    try {
      await mkdir(join(folder, 'sub', 'empty'), { recursive: true })
      await writeFile(join(folder, 'a.txt'), 'a')
      await writeFile(join(folder, 'sub', 'b.txt'), 'bb')
      await symlink('/etc/passwd', join(folder, 'link'))
      const result = await putter.put({ path: folder }, {}, {})
      assert.deepEqual([result.size, result.skipped], [3, ['link']])
      const entries = await putter.put(
        {
          entries: [
            { path: 'a.txt', data: Buffer.from('a') },
            { path: 'sub/b.txt', data: Buffer.from('bb') }
          ]
        },
        {},
        {}
      )
      assert.notEqual(entries.cid, result.cid, 'the empty folder counts')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  for (const path of ['../x', '/x', 'a//b', 'a/../b', '', 'a\u0000b', 'a\\b']) {
    it(`refuses the entry ${JSON.stringify(path)}`, async () => {
      await assert.rejects(putter.put({ entries: [{ path, data: new Uint8Array(1) }] }, {}, {}), hasCode('INVALID_PARAMS'))
    })
  }

  it('removes a content with the blocks nothing else needs, and remembers that it was private', async () => {
    const shared = distinctBytes(MIB)
    const whole = Buffer.concat([shared, distinctBytes(MIB, 2)])
    const big = await putter.put({ bytes: whole }, {}, {})
    const small = await putter.put({ bytes: shared }, {}, {})
    const found = library.find(parseContent(big.cid))
    assert.ok(found !== undefined)
    await assert.rejects(removeContent(library, found, false), hasCode('CONFLICT'))
    await removeContent(library, found, true)
    assert.equal(library.find(parseContent(big.cid)), undefined)
    assert.equal(library.realms.own.blocks.usage().blocks, 1)
    assert.ok(library.find(parseContent(small.cid)) !== undefined)
    assert.ok(library.wasPrivate(CID.parse(big.cid).multihash.bytes))
  })

  /** The importer writes leaves in batches; after this much the first batch is written. */
  function* beyondOneBatch(): Generator<Uint8Array> {
    for (let seed = 2; seed < 26; seed++) yield distinctBytes(MIB, seed)
  }

  async function memoryPut(bytes: Uint8Array): Promise<{ cid: string }> {
    return { cid: (await fileDag(bytes)).root.toString() }
  }
})
