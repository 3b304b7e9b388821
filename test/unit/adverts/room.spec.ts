import assert from 'node:assert/strict'
import { buildFilter, type ContentFilter } from '../../../src/adverts/filter.ts'
import { ADVERTS_KEPT_MAX } from '../../../src/adverts/limits.ts'
import { makeRoom } from '../../../src/adverts/room.ts'
import { MIB } from '../../../src/model/units.ts'
import { digest } from './support.ts'

describe('room for adverts', () => {
  const { filter: small } = buildFilter([digest(1)], { falsePositiveRate: 0.001, salt: new Uint8Array(8) })
  const large: ContentFilter = Object.create(small, { bytes: { value: { byteLength: 2 * MIB } } })
  let entries: Map<string, { filter: ContentFilter | null }>
  let trust: Map<string, number>
  let connected: Set<string>
  beforeEach(() => {
    entries = new Map()
    trust = new Map()
    connected = new Set()
  })

  function add(peer: string, filter: ContentFilter): void {
    entries.set(peer, { filter })
    makeRoom(entries, {
      trustOf: one => trust.get(one) ?? 0,
      isConnected: one => connected.has(one),
      dropExpired: () => {},
      dropFilter: one => entries.set(one, { filter: null }),
      drop: one => entries.delete(one)
    })
  }
  const withFilter = (): string[] => [...entries].flatMap(([peer, { filter }]) => (filter === null ? [] : [peer]))

  it('is made by strangers for each other: half of it is theirs, and a friend keeps his filter', () => {
    trust.set('friend', 5)
    add('friend', large)
    for (let n = 0; n < 40; n++) {
      connected.add(`stranger ${n}`)
      add(`stranger ${n}`, large)
    }
    assert.equal(withFilter().length, 17)
    assert.ok(withFilter().includes('friend') && withFilter().includes('stranger 39'))
    assert.equal(entries.size, 41, 'what they say of themselves stays')
  })

  it('is made by who is trusted least, connected last, and by the oldest of these', () => {
    for (let n = 0; n < 34; n++) trust.set(`friend ${n}`, n === 20 ? 3 : 5)
    for (let n = 0; n < 34; n++) connected.add(`friend ${n}`)
    connected.delete('friend 7')
    for (let n = 0; n < 34; n++) add(`friend ${n}`, large)
    assert.deepEqual(
      [...trust.keys()].filter(peer => !withFilter().includes(peer)),
      ['friend 7', 'friend 20']
    )
  })

  it('is bounded in heads too', () => {
    trust.set('stranger 0', 1)
    for (let n = 0; n <= ADVERTS_KEPT_MAX; n++) add(`stranger ${n}`, small)
    assert.equal(entries.size, ADVERTS_KEPT_MAX)
    assert.deepEqual([entries.has('stranger 0'), entries.has('stranger 1')], [true, false])
  })
})
