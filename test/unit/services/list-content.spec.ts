import assert from 'node:assert/strict'
import type { Library } from '../../../src/content/library.ts'
import { listContent } from '../../../src/services/list-content.ts'
import { KithError } from '../../../src/errors.ts'
import type { Realm } from '../../../src/model/privacy.ts'
import { memoryLibrary } from '../../support/dag-builder.ts'
import { leaf } from '../../support/dag-nodes.ts'

describe('content.list', () => {
  let library: Library
  let now = 0
  beforeEach(() => {
    library = memoryLibrary()
  })

  const record = async (realm: Realm, name: string, isHere = true): Promise<string> => {
    const block = leaf(name)
    if (isHere) await library.realms[realm].blocks.put(block)
    now += 1
    await library.realms[realm].records.put({
      root: block.cid,
      kind: 'file',
      size: block.bytes.byteLength,
      blocks: 1,
      name,
      createdAt: now,
      lastAccess: now,
      pinned: false
    })
    return name
  }
  const names = async (params: Parameters<typeof listContent>[1] = {}) => (await listContent(library, params)).items.map(({ name }) => name)

  it('lists a content that two realms know once, as what it counts as', async () => {
    await record('cache', 'fetched')
    await record('cache', 'fetched, then put')
    await record('public', 'fetched, then put')
    await record('cache', 'fetched, then private')
    await record('own', 'fetched, then private')
    assert.deepEqual(await names(), ['fetched, then put', 'fetched', 'fetched, then private'])
    assert.deepEqual(await names({ privacy: 'public' }), ['fetched, then put', 'fetched'])
    assert.deepEqual(await names({ privacy: 'private' }), ['fetched, then private'])
  })

  it('fills each page although some records are passed over, and ends', async () => {
    for (let index = 0; index < 7; index++) {
      await record('cache', `both ${index}`)
      await record('public', `both ${index}`)
      await record('own', `mine ${index}`)
    }
    const seen: (string | undefined)[] = []
    let cursor: string | undefined
    do {
      const page = await listContent(library, { limit: 3, ...(cursor === undefined ? {} : { cursor }) })
      assert.ok(page.items.length === 3 || page.cursor === undefined)
      seen.push(...page.items.map(({ name }) => name))
      cursor = page.cursor
    } while (cursor !== undefined)
    assert.deepEqual([seen.length, new Set(seen).size], [14, 14])
  })

  it('counts the blocks of cached content, which may have gone, and believes the record of what was put', async () => {
    await record('cache', 'gone', false)
    await record('own', 'put')
    const { items } = await listContent(library, {})
    assert.deepEqual(
      items.map(({ name, blocks, localBlocks }) => [name, blocks, localBlocks]),
      [
        ['gone', 1, 0],
        ['put', 1, 1]
      ]
    )
  })

  it('refuses a cursor it never gave', async () => {
    for (const cursor of ['', 'nowhere:', 'own:rubbish'])
      await assert.rejects(listContent(library, { cursor }), error => error instanceof KithError && error.code === 'INVALID_PARAMS')
  })
})
