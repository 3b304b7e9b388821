/** Whose a record is when several put the same bytes: what each may change, and what goes with a name. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { localFiles } from '../../../src/adapters/files/local-files.ts'
import type { Library } from '../../../src/content/library.ts'
import { Putter } from '../../../src/content/put.ts'
import { disown } from '../../../src/content/recorder.ts'
import { KithError } from '../../../src/errors.ts'
import { parseContent } from '../../../src/model/content-id.ts'
import { EventBus } from '../../../src/observe/events.ts'
import type { ContentRecord } from '../../../src/ports/record-store.ts'
import type { PutParams } from '../../../src/rpc/services.ts'
import { distinctBytes, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

describe('a record of several', () => {
  const clock = new VirtualClock()
  let library: Library
  beforeEach(() => {
    library = memoryLibrary()
  })

  const put = async (params: PutParams): Promise<ContentRecord> => {
    const components = { library, files: localFiles, clock, events: new EventBus({ clock }) }
    const putter = new Putter(components, { defaultPrivacy: 'private', maxFileSize: 0 })
    const { cid } = await putter.put({ bytes: distinctBytes(1000) }, params, {})
    return recorded(CID.parse(cid))
  }
  const recorded = (root: CID): ContentRecord => {
    const record = library.findRoot(root)?.record
    assert.ok(record !== undefined)
    return record
  }
  const names = ({ name, contentType, type }: ContentRecord): unknown[] => [name, contentType, type]

  for (const by of [undefined, 'other'])
    it(`keeps the names that ${by ?? 'the operator'} gave when a token puts the same`, async () => {
      const own = by === undefined ? {} : { by }
      const first = await put({ ...own, name: 'a.txt', contentType: 'text/plain', type: 'diary' })
      const second = await put({ by: 'app', name: 'b.html', contentType: 'text/html', type: 'page' })
      assert.deepEqual(names(second), names(first))
      assert.deepEqual(second.putBy, [by ?? '*', 'app'])
    })

  it('lets a token rename what is its alone, and the operator what he puts', async () => {
    await put({ by: 'app', name: 'a' })
    assert.equal((await put({ by: 'app', name: 'b' })).name, 'b')
    assert.equal((await put({ name: 'c' })).name, 'c')
  })

  it('refuses a bad name all the same', async () => {
    await put({ name: 'a' })
    await assert.rejects(put({ by: 'app', name: 'a/b' }), error => error instanceof KithError && error.code === 'INVALID_PARAMS')
  })

  it("stays when a token gives up its part, and is the operator's alone again", async () => {
    await put({ name: 'a' })
    const { root } = await put({ by: 'app' })
    const ref = parseContent(root.toString())
    await assert.rejects(disown(library, ref, 'app', false), error => error instanceof KithError && error.code === 'CONFLICT')
    assert.equal(await disown(library, ref, 'app', true), true)
    assert.deepEqual([recorded(root).putBy, recorded(root).name], [undefined, 'a'])
    assert.equal(await library.realms.own.blocks.has(root), true)
    assert.equal(await disown(library, ref, 'app', true), false, 'it is not its own any more')
  })

  it("is not given up while it is the token's alone, nor by others", async () => {
    const { root } = await put({ by: 'app', pin: false })
    const ref = parseContent(root.toString())
    assert.equal(await disown(library, ref, 'app', false), false)
    await put({ by: 'other', pin: false })
    assert.equal(await disown(library, ref, 'third', false), false)
    assert.equal(await disown(library, ref, 'app', false), true)
    assert.deepEqual(recorded(root).putBy, ['other'])
  })
})
