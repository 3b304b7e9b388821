import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryState } from '../../../../src/adapters/memory/memory-state.ts'
import { openStateDb } from '../../../../src/adapters/system/state-db.ts'
import { KithError } from '../../../../src/errors.ts'
import type { StateStore } from '../../../../src/ports/state-table.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

const text = (stored: unknown): string => {
  assert.equal(typeof stored, 'string')
  return String(stored)
}

for (const [name, open] of [
  ['SQLite', async (home: string) => await openStateDb({ clock: new VirtualClock() }, home)],
  ['memory', async () => memoryState()]
] as const) {
  describe(`state tables in ${name}`, () => {
    let home: string
    let state: StateStore
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'kith-state-'))
      await mkdir(join(home, 'state'))
      state = await open(home)
    })
    afterEach(async () => {
      await state[Symbol.asyncDispose]()
      await rm(home, { recursive: true })
    })

    it('gives back what was put, table by table, in the order of the keys', async () => {
      const table = state.table('a', text)
      await table.put('y', 'two')
      table.note('x', 'one')
      assert.deepEqual([...table.entries()], [['x', 'one'], ['y', 'two']]) // prettier-ignore
      assert.deepEqual([table.get('y'), table.get('z'), table.size, state.table('b', text).size], ['two', undefined, 2, 0])
      assert.deepEqual([await table.remove('y'), await table.remove('y'), table.get('y')], [true, false, undefined])
    })
  })
}

describe('state tables on disk', () => {
  let home: string
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'kith-state-'))
    await mkdir(join(home, 'state'))
  })
  afterEach(async () => await rm(home, { recursive: true }))

  /** What a crash at this moment leaves on the disk. */
  async function openCopy(): Promise<StateStore> {
    const copy = join(home, 'copy')
    await rm(copy, { recursive: true, force: true })
    await cp(join(home, 'state'), join(copy, 'state'), { recursive: true })
    return await openStateDb({ clock: new VirtualClock() }, copy)
  }

  it('have what was put when they are opened again, and what was noted after a moment or a close', async () => {
    const clock = new VirtualClock()
    const state = await openStateDb({ clock }, home)
    const table = state.table('a', text)
    await table.put('put', '1')
    table.note('noted', '1')
    {
      await using crashed = await openCopy()
      assert.deepEqual([...crashed.table('a', text).entries()], [['put', '1']])
    }
    await clock.advance(5_000)
    {
      await using later = await openCopy()
      assert.equal(later.table('a', text).get('noted'), '1')
    }
    table.note('noted', '2')
    await state[Symbol.asyncDispose]()
    await using again = await openStateDb({ clock: new VirtualClock() }, home)
    assert.equal(again.table('a', text).get('noted'), '2')
  })

  it('name the file that cannot be read, and do not begin anew in silence', async () => {
    await writeFile(
      join(home, 'state', 'node.db'),
      'this is no database, but it is longer than the header of one would be, so that SQLite looks at it'
    )
    await assert.rejects(openStateDb({ clock: new VirtualClock() }, home), (error: unknown) => {
      assert.ok(error instanceof KithError)
      assert.equal(error.code, 'START_FAILED')
      assert.match(error.message, /node\.db cannot be read: .*whom you trust/)
      return true
    })
  })
})
