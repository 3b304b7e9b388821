/** Reading for this node's own user: whose a fetched content is, what is not recorded, what is put back. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import { memoryRealmStore } from '../../../src/adapters/memory/memory-realm-store.ts'
import { Library } from '../../../src/content/library.ts'
import { Putter } from '../../../src/content/put.ts'
import { removeContent } from '../../../src/content/remove.ts'
import { KithError } from '../../../src/errors.ts'
import { RAW_CODEC } from '../../../src/model/content-id.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import { Classifier } from '../../../src/retrieval/classify.ts'
import type { Retriever } from '../../../src/retrieval/retriever.ts'
import { ContentAccess, readOpened } from '../../../src/services/content-access.ts'
import { distinctBytes, fileDag, type MadeDag } from '../../support/dag-builder.ts'
import { BlockMap } from '../../support/dag-nodes.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { makeRetriever } from '../retrieval/retriever-support.ts'

const MIB = 1_048_576

describe('ContentAccess', () => {
  const clock = new VirtualClock()
  let library: Library
  let dag: MadeDag
  let access: ContentAccess
  let fullness: boolean[]
  let asked: number
  let isSourceEmpty: boolean
  /** Happens while the first block is asked for. */
  let meanwhile: () => Promise<void>

  beforeEach(async () => {
    dag = await fileDag(distinctBytes(2 * MIB))
    fullness = []
    asked = 0
    isSourceEmpty = false
    meanwhile = async () => {}
    setUp()
  })

  function setUp(cacheBytes = 0): void {
    library = new Library({
      realms: { public: memoryRealmStore(), cache: memoryRealmStore({ maxBytes: cacheBytes }), own: memoryRealmStore() },
      keyedDigest: bytes => bytes
    })
    const classifier = new Classifier({ library }, { unknown: 'private', unknownCid: 'public' })
    access = new ContentAccess(
      { library, retriever: retriever(), classifier, clock, cacheFull: isFull => fullness.push(isFull) },
      { unconfirmedBytes: MIB, maxFileSize: 0 }
    )
  }

  /** Somewhere that has every block of the file, or none any more. */
  function source(): BlockSource {
    const blocks = new BlockMap(dag.blocks.values())
    return {
      stage: 'ipfs',
      concurrency: 4,
      unavailable: () => undefined,
      open: () => ({
        close: () => {},
        get: async cid => {
          asked += 1
          if (asked === 1) await meanwhile()
          const block = isSourceEmpty ? undefined : await blocks.get(cid)
          if (block === undefined) throw new SourceError('not-found', 'it does not have it')
          return block.bytes.slice()
        }
      })
    }
  }

  function retriever(): Retriever {
    return makeRetriever({ library, clock, ipfs: source(), routing: { ipfsDelay: 0, gatewayDelay: 0 } })
  }

  const get = async (content: string, by?: string): Promise<Buffer> => {
    const opened = await access.open(by === undefined ? { content } : { content, by }, { kind: 'all' }, {})
    await opened.report
    return Buffer.concat(await Array.fromAsync(readOpened(opened, { offset: 0 }, {})))
  }
  const put = async (privacy: 'public' | 'private') =>
    await new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 0 }
    ).put({ bytes: distinctBytes(2 * MIB) }, { privacy }, {})
  const names = () => library.findRoot(dag.root)?.record.putBy

  it('notes every token that fetched a content, and keeps its name', async () => {
    await get(dag.root.toString(), 'app')
    assert.deepEqual(names(), ['app'])
    await get(dag.root.toString())
    await get(dag.root.toString(), 'backup')
    await get(dag.root.toString(), 'app')
    assert.deepEqual(names(), ['app', 'backup'])
  })

  it('notes both of two tokens that fetch a content at the same time', async () => {
    await Promise.all([get(dag.root.toString(), 'app'), get(dag.root.toString(), 'backup')])
    assert.deepEqual([...(names() ?? [])].toSorted(), ['app', 'backup'])
  })

  for (const privacy of ['public', 'private'] as const) {
    it(`makes nobody an owner of ${privacy} content by reading what others put`, async () => {
      await put(privacy)
      await get(dag.root.toString(), 'app')
      assert.equal(names(), undefined)
    })
  }

  it('records nothing of content whose bytes are in its address', async () => {
    assert.equal((await get('bafkqablimvwgy3y')).toString(), 'hello')
    assert.equal(library.realms.cache.records.count(), 0)
  })

  it('reads a damaged block of public content elsewhere, and puts it back where it is served from', async () => {
    await put('public')
    const bad = [...dag.blocks.values()].map(({ cid }) => cid).find(cid => cid.code === 0x55) ?? dag.root
    const stored = await library.realms.public.blocks.get(CID.parse(bad.toString()))
    stored?.bytes.fill(0) // the memory store keeps the bytes it was given: this is its bad disk
    assert.deepEqual(await get(dag.root.toString()), Buffer.from(distinctBytes(2 * MIB)))
    assert.equal(asked, 1)
    assert.notEqual(await library.realms.public.blocks.get(bad), undefined)
  })

  it('puts nothing back of public content that was removed while a block was fetched', async () => {
    await put('public')
    const bad = [...dag.blocks.values()].map(({ cid }) => cid).find(cid => cid.code === 0x55) ?? dag.root
    const stored = await library.realms.public.blocks.get(bad)
    stored?.bytes.fill(0)
    meanwhile = async () => {
      const found = library.findRoot(dag.root)
      assert.ok(found !== undefined)
      await library.inTurn(dag.root, async () => await removeContent(library, found, true))
    }
    // What is read while it is removed may end early; what matters is what is left of it.
    await get(dag.root.toString()).catch(() => {})
    assert.equal(asked >= 1, true)
    assert.equal(await library.served(['public', 'cache']).has(bad), false)
    for (const realm of ['public', 'cache'] as const) assert.equal(await library.realms[realm].blocks.has(bad), false)
  })

  it('asks nobody for a damaged block of private content', async () => {
    await put('private')
    const stored = await library.realms.own.blocks.get(dag.root)
    stored?.bytes.fill(0)
    await assert.rejects(get(dag.root.toString()), error => error instanceof KithError && error.code === 'INTEGRITY')
    assert.equal(asked, 0)
  })

  it('says of pinned public content that it is damaged here and what to do, if nobody else has it', async () => {
    await put('public')
    const leaf = [...dag.blocks.values()].find(({ cid }) => cid.code === RAW_CODEC)
    assert.ok(leaf !== undefined)
    for (const { cid } of [leaf, { cid: dag.root }]) {
      const stored = await library.realms.public.blocks.get(cid)
      stored?.bytes.fill(0)
      isSourceEmpty = true
      await assert.rejects(get(dag.root.toString()), (error: unknown) => {
        assert.ok(error instanceof KithError)
        assert.deepEqual([error.code, error.data['cid']], ['INTEGRITY', cid.toString()])
        assert.match(error.message, /pinned here, is missing or damaged.*nobody who was asked.*kith verify bafy\w+ --repair/)
        assert.ok(Array.isArray(error.data['attempts']))
        return true
      })
    }
  })

  it('says of content that is not pinned only that nobody has it', async () => {
    await get(dag.root.toString())
    const stored = await library.realms.cache.blocks.get(dag.root)
    stored?.bytes.fill(0)
    isSourceEmpty = true
    await assert.rejects(get(dag.root.toString()), error => error instanceof KithError && error.code === 'NOT_FOUND')
  })

  it('says when the cache is full, and when it is not', async () => {
    setUp(MIB)
    await assert.rejects(get(dag.root.toString()), error => error instanceof KithError && error.code === 'QUOTA_EXCEEDED')
    assert.deepEqual(fullness, [true])
    setUp()
    await get(dag.root.toString())
    assert.deepEqual(fullness, [true, false])
  })
})
