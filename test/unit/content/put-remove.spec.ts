import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import { openRealmStore } from '../../../src/adapters/store/realm-store.ts'
import type { Library } from '../../../src/content/library.ts'
import { Putter } from '../../../src/content/put.ts'
import { removeContent } from '../../../src/content/remove.ts'
import { KithError } from '../../../src/errors.ts'
import { verifyBlock } from '../../../src/model/block.ts'
import { parseContent, rawCid } from '../../../src/model/content-id.ts'
import { sha256 } from '../../../src/model/sha256.ts'
import { EventBus } from '../../../src/observe/events.ts'
import { distinctBytes, memoryLibrary } from '../../support/dag-builder.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const MIB = 1024 * 1024

describe('put and remove', () => {
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
  const found = (cid: string) => {
    const known = library.find(parseContent(cid))
    assert.ok(known !== undefined)
    return known
  }

  it('loses nothing of a put that meets the removal of the same public content', async () => {
    const bytes = distinctBytes(3 * MIB)
    const { cid } = await putter.put({ bytes }, { privacy: 'public' }, {})
    const root = CID.parse(cid)
    const removal = library.inTurn(root, async () => {
      await removeContent(library, found(cid), true)
    })
    const [again] = await Promise.all([putter.put({ bytes }, {}, {}), removal])
    const known = found(again.cid)
    const { blocks } = library.realms[known.realm]
    assert.equal(blocks.usage().blocks, known.record.blocks)
    for await (const hash of blocks.keys()) assert.equal(library.realms[known.realm].withheld.has(hash), false)
  })

  it('writes a damaged block anew when its content is put again, as whatever class', async () => {
    const bytes = distinctBytes(1000)
    const { cid } = await putter.put({ bytes }, { privacy: 'public' }, {})
    for (const params of [{ privacy: 'public' as const }, {}]) {
      const stored = await library.realms.public.blocks.get(CID.parse(cid))
      stored?.bytes.fill(0) // the memory store keeps the bytes it was given: this is its bad disk
      const again = await putter.put({ bytes: distinctBytes(1000) }, params, {})
      assert.equal(again.privacy, 'public')
      assert.deepEqual((await library.realms.public.blocks.get(CID.parse(cid)))?.bytes, distinctBytes(1000))
    }
  })

  it('withholds what was removed while another root cannot be read, and deletes nothing', async () => {
    const doomed = await putter.put({ bytes: distinctBytes(1000) }, { privacy: 'public' }, {})
    const other = await putter.put({ bytes: distinctBytes(2 * MIB, 9) }, { privacy: 'public' }, {})
    await library.realms.public.blocks.delete(CID.parse(other.cid))
    const before = library.realms.public.blocks.usage().blocks
    await removeContent(library, found(doomed.cid), true)
    assert.equal(library.realms.public.blocks.usage().blocks, before)
    assert.equal(await library.served(['public']).get(CID.parse(doomed.cid)), undefined)
    await putter.put({ bytes: distinctBytes(1000) }, { privacy: 'public' }, {})
    assert.ok((await library.served(['public']).get(CID.parse(doomed.cid))) !== undefined, 'put again, served again')
  })

  it('lets go of what puts had written when a crash ended them', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kith-unborn-'))
    try {
      const [kept, lost] = [distinctBytes(100, 1), distinctBytes(100, 2)].map(bytes => verifyBlock(rawCid(sha256(bytes)), bytes))
      assert.ok(kept !== undefined && lost !== undefined)
      const open = async () => await openRealmStore({ clock, log: silentLog }, { directory, realm: 'public' })
      {
        await using store = await open()
        for (const block of [kept, lost]) {
          store.withheld.add(block.cid.multihash.bytes, 'unborn')
          await store.blocks.put(block)
        }
        store.withheld.release(kept.cid.multihash.bytes)
        await store.blocks.flush()
      }
      await using store = await open()
      assert.deepEqual([await store.blocks.has(kept.cid), await store.blocks.has(lost.cid)], [true, false])
      assert.equal(store.withheld.has(lost.cid.multihash.bytes), false)
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('refuses a pipe as a file instead of waiting for somebody to write into it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kith-pipe-'))
    try {
      const pipe = join(directory, 'pipe')
      execFileSync('mkfifo', [pipe])
      await assert.rejects(
        putter.put({ entries: [{ path: 'x', file: pipe }] }, {}, {}),
        error => error instanceof KithError && error.code === 'INVALID_PARAMS'
      )
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
