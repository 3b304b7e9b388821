import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import type { Found, Library } from '../../../src/content/library.ts'
import { Putter } from '../../../src/content/put.ts'
import { removeContent } from '../../../src/content/remove.ts'
import { Verifier } from '../../../src/content/verify.ts'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey, DAG_PB_CODEC, parseContent, RAW_CODEC } from '../../../src/model/content-id.ts'
import type { Realm } from '../../../src/model/privacy.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { distinctBytes, fileDag, memoryLibrary, type MadeDag } from '../../support/dag-builder.ts'
import { leaf } from '../../support/dag-nodes.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1024 * 1024
const CLEAN = { corrupt: [], missing: [], repaired: 0 }

describe('verify', () => {
  const clock = new VirtualClock()
  let library: Library
  let dag: MadeDag
  let fetched: Found[]
  /** What the network has. */
  let elsewhere: VerifiedBlock[]
  beforeEach(async () => {
    library = memoryLibrary()
    dag = await fileDag(distinctBytes(3 * MIB))
    fetched = []
    elsewhere = []
  })

  const verifier = (meanwhile = async (): Promise<void> => {}) =>
    new Verifier({
      library,
      fetch: async found => {
        fetched.push(found)
        await meanwhile()
        for (const block of elsewhere) await library.realms.cache.blocks.put(block)
      }
    })
  const put = async (privacy: 'public' | 'private', bytes = distinctBytes(3 * MIB)) =>
    await new Putter(
      { library, files: localFiles, clock, events: new EventBus({ clock }) },
      { defaultPrivacy: 'private', maxFileSize: 0 }
    ).put({ bytes }, { privacy }, {})
  /** The memory store keeps the bytes it was given: this is its bad disk. */
  const damage = async (realm: Realm, cid: CID): Promise<void> => {
    const stored = await library.realms[realm].blocks.get(cid)
    assert.ok(stored !== undefined)
    stored.bytes.fill(0)
  }
  const leafOf = (index: number): CID =>
    [...dag.blocks.values()].map(({ cid }) => cid).filter(({ code }) => code === RAW_CODEC)[index] ?? dag.root

  it('reads every block of every realm, and tells how far it is', async () => {
    const first = await put('private')
    await put('public', distinctBytes(1000, 5))
    await library.realms.cache.blocks.put(leaf('a part of something'))
    const told: (number | undefined)[][] = []
    const result = await verifier().verify({}, { onProgress: ({ bytes, total }) => told.push([bytes, total]) })
    assert.deepEqual(result, { checkedBlocks: first.blocks + 2, ...CLEAN })
    const [bytes, total] = told.at(-1) ?? []
    assert.equal(bytes, total)
    assert.equal(fetched.length, 0, 'nobody was asked')
  })

  for (const which of ['leaf', 'node'] as const) {
    it(`names a damaged ${which} as corrupt once, and as missing ever after`, async () => {
      const { cid } = await put('private')
      const bad = which === 'leaf' ? leafOf(1) : dag.root
      await damage('own', bad)
      for (const content of [undefined, parseContent(cid)]) {
        const found = await verifier().verify({ content }, {})
        assert.deepEqual(found.missing.length + found.corrupt.length, 1)
        if (content === undefined) assert.deepEqual([found.corrupt, found.missing], [[bad.toString()], []])
        else assert.deepEqual([found.corrupt, found.missing], [[], [bad.toString()]])
      }
    })

    it(`fetches a damaged ${which} of public content again, and puts it where it belongs`, async () => {
      const { cid, blocks } = await put('public')
      const bad = which === 'leaf' ? leafOf(1) : dag.root
      elsewhere = [...(await fileDag(distinctBytes(3 * MIB))).blocks.values()]
      await damage('public', bad)
      const result = await verifier().verify({ repair: true }, {})
      assert.deepEqual(result, { checkedBlocks: blocks, corrupt: [bad.toString()], missing: [], repaired: 1 })
      assert.deepEqual(
        fetched.map(({ realm, record }) => [realm, record.root.toString()]),
        [['public', cid]]
      )
      assert.notEqual(await library.realms.public.blocks.get(bad), undefined)
      const again = await verifier().verify({ content: parseContent(cid), repair: true }, {})
      assert.deepEqual(again, { checkedBlocks: blocks, ...CLEAN })
      assert.equal(fetched.length, 1, 'nobody is asked for what is whole')
    })
  }

  it('forgets what was lost once all that is recorded is whole, and not before', async () => {
    const { cid } = await put('private')
    const { own, cache } = library.realms
    const stray = leaf('of nothing that is recorded')
    await cache.blocks.put(stray)
    for (const [realm, bad] of [
      ['own', leafOf(1)],
      ['cache', stray.cid]
    ] as const)
      await damage(realm, bad)
    const lost = (): number[] => [own.damage().blocks, cache.damage().blocks]
    for (let run = 0; run < 2; run++) {
      await verifier().verify({}, {})
      assert.deepEqual(lost(), [1, 1], 'a content lacks a block')
    }
    await put('private')
    assert.deepEqual(lost(), [0, 1])
    await verifier().verify({ content: parseContent(cid) }, {})
    assert.deepEqual(lost(), [0, 1], 'one content says nothing of the others')
    await verifier().verify({}, {})
    assert.deepEqual(lost(), [0, 0])
  })

  it('says what stays missing when nobody has it, and mends the rest', async () => {
    await put('private')
    const bad = [leafOf(0), leafOf(2)]
    for (const cid of bad) await library.realms.own.blocks.delete(cid)
    const back = (await fileDag(distinctBytes(3 * MIB))).blocks.get(blockKey(leafOf(2)))
    assert.ok(back !== undefined)
    elsewhere = [back]
    const result = await verifier().verify({ repair: true }, {})
    assert.deepEqual([result.missing, result.repaired], [bad.map(String), 1])
    assert.deepEqual((await verifier().verify({}, {})).missing, [bad[0]?.toString()])
  })

  it('checks one content alone, and finds what only its own realm lacks', async () => {
    const one = await put('private')
    const other = await put('public', distinctBytes(1000, 9))
    await damage('public', CID.parse(other.cid))
    assert.deepEqual(await verifier().verify({ content: parseContent(one.cid) }, {}), { checkedBlocks: one.blocks, ...CLEAN })
    assert.deepEqual((await verifier().verify({ content: parseContent(other.cid) }, {})).corrupt, [other.cid])
  })

  it('does not count parts of content that nobody recorded as missing', async () => {
    const root = dag.blocks.get(blockKey(dag.root))
    assert.ok(root !== undefined)
    await library.realms.cache.blocks.put(root)
    assert.equal(root.cid.code, DAG_PB_CODEC)
    assert.deepEqual(await verifier().verify({}, {}), { checkedBlocks: 1, ...CLEAN })
  })

  it('lets a content be removed while it is checked, and misses nothing of it', async () => {
    const { cid } = await put('private')
    const onProgress = (): void => {
      void library.realms.own.records.remove(CID.parse(cid))
      for (const block of dag.blocks.values()) void library.realms.own.blocks.delete(block.cid)
    }
    const { corrupt, missing } = await verifier().verify({ content: parseContent(cid) }, { onProgress })
    assert.deepEqual([corrupt, missing], [[], []])
  })

  for (const which of ['leaf', 'node'] as const)
    it(`does not bring back what was removed while its ${which} was fetched`, async () => {
      const { cid } = await put('public')
      const other = await put('public', distinctBytes(1000, 5))
      const bad = which === 'leaf' ? leafOf(1) : dag.root
      elsewhere = [...dag.blocks.values()].filter(block => which === 'node' || block.cid.equals(bad))
      await damage('public', bad)
      const remove = async (): Promise<void> => {
        const found = library.findRoot(CID.parse(cid))
        assert.ok(found !== undefined)
        await library.inTurn(found.record.root, async () => await removeContent(library, found, true))
      }
      const result = await verifier(remove).verify({ repair: true }, {})
      assert.equal(result.repaired, 0)
      assert.equal(await library.served(['public', 'cache']).has(bad), false)
      for (const block of dag.blocks.values()) assert.equal(await library.realms.cache.blocks.has(block.cid), false)
      assert.equal(await library.realms.public.blocks.has(CID.parse(other.cid)), true)
    })

  it('keeps what it fetched for removed content if something in the cache needs it', async () => {
    const { cid } = await put('public')
    const bad = leafOf(1)
    elsewhere = [...dag.blocks.values()].filter(block => block.cid.equals(bad))
    await damage('public', bad)
    const instead = async (): Promise<void> => {
      const found = library.findRoot(CID.parse(cid))
      assert.ok(found !== undefined)
      await removeContent(library, found, true)
      await library.realms.cache.records.put({ ...found.record, root: bad, blocks: 1 })
    }
    await verifier(instead).verify({ repair: true }, {})
    assert.equal(await library.realms.cache.blocks.has(bad), true)
  })

  it('says so when a content is not here, and takes no path', async () => {
    const code = (wanted: string) => (error: unknown) => error instanceof KithError && error.code === wanted
    await assert.rejects(verifier().verify({ content: parseContent(dag.root.toString()) }, {}), code('NOT_FOUND'))
    await assert.rejects(verifier().verify({ content: parseContent(`/ipfs/${dag.root.toString()}/a`) }, {}), code('INVALID_PARAMS'))
  })

  it('ends when its caller gives up', async () => {
    await put('private')
    await assert.rejects(verifier().verify({}, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  })
})
