import assert from 'node:assert/strict'
import { Answers, type Place } from '../../../src/exchange/answers.ts'
import type { ServedContent } from '../../../src/ports/serving.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const VIEW: ServedContent = {
  has: async () => false,
  get: async () => undefined,
  findByHash: () => undefined,
  record: () => undefined,
  rights: { scope: 'everybody', rank: 1 }
}
const GIVEN: ServedContent = { ...VIEW, rights: { scope: 'granted', rank: 1, isGuest: true } }

describe('places for answers', () => {
  let clock: VirtualClock
  let answers: Answers
  let ended: string[]
  /** Bytes taken by who reads. */
  let taken: number
  beforeEach(() => {
    clock = new VirtualClock()
    answers = new Answers({ clock }, { answersMax: 16, answersPerPeerMax: 1 })
    ended = []
    taken = 0
  })

  function enter(peer: string, { view = VIEW, isTrusted = false, reads = false } = {}): Place | undefined {
    const since = clock.monotonic()
    const end = (): void => {
      ended.push(peer)
    }
    return answers.enter(peer, { view, isTrusted, end, writing: () => ({ since, taken: reads ? taken : 0 }) })
  }
  function crowd(count: number, who: Parameters<typeof enter>[1] = {}): boolean[] {
    return Array.from({ length: count }, (_, at) => enter(`crowd ${at}`, who) !== undefined)
  }

  it('keep some for who was given something, and more for who is trusted', () => {
    assert.equal(crowd(16).filter(Boolean).length, 10)
    assert.ok(enter('guest 1', { view: GIVEN }) !== undefined && enter('guest 2', { view: GIVEN }) !== undefined)
    assert.equal(enter('guest 3', { view: GIVEN }), undefined)
    for (const friend of ['a', 'b', 'c', 'd']) assert.ok(enter(friend, { isTrusted: true }) !== undefined)
    assert.equal(enter('e', { isTrusted: true }), undefined)
    assert.deepEqual(ended, [])
  })

  it('are held by who does not read for 3 s at most while others have none', async () => {
    crowd(10)
    assert.equal(enter('late'), undefined)
    await clock.advance(2_900)
    assert.equal(enter('late'), undefined)
    await clock.advance(100)
    assert.ok(enter('late') !== undefined)
    assert.deepEqual(ended, ['crowd 0'])
    assert.equal(enter('later') === undefined, false, 'the next one goes too')
  })

  it('stay with who reads, be it slowly, and with who is trusted', async () => {
    for (const friend of ['a', 'b', 'c', 'd', 'e', 'f']) enter(friend, { isTrusted: true })
    crowd(10, { reads: true })
    for (let second = 0; second < 10; second++) {
      assert.equal(enter('late'), undefined)
      taken += 20_000
      await clock.advance(1000)
    }
    assert.deepEqual(ended, [])
    await clock.advance(3000)
    assert.equal(enter('late'), undefined, 'it has read since the last look')
    await clock.advance(3000)
    assert.ok(enter('late') !== undefined)
    assert.deepEqual(ended, ['crowd 0'])
  })

  it('of guests are not given to strangers, those of strangers are to guests', async () => {
    crowd(10, { view: GIVEN })
    for (const guest of ['x', 'y']) enter(guest, { view: GIVEN })
    assert.equal(enter('late'), undefined)
    await clock.advance(3000)
    assert.equal(enter('late'), undefined)
    assert.ok(enter('guest', { view: GIVEN }) !== undefined)
  })

  it('give a place back once, displaced or not', async () => {
    const places = Array.from({ length: 10 }, (_, at) => enter(`crowd ${at}`))
    enter('late')
    await clock.advance(3000)
    assert.ok(enter('late') !== undefined)
    places[0]?.[Symbol.dispose]()
    assert.equal(answers.isAnswering('crowd 0'), false)
    places[1]?.[Symbol.dispose]()
    assert.ok(enter('one') !== undefined)
  })
})
