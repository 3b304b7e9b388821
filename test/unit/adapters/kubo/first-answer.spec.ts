import assert from 'node:assert/strict'
import { firstAnswer, type AskOptions } from '../../../../src/adapters/kubo/first-answer.ts'
import { deferred, type Deferred } from '../../../../src/lib/deferred.ts'
import { SourceError } from '../../../../src/ports/block-source.ts'
import { settle, VirtualClock } from '../../../support/virtual-clock.ts'

/** What an endpoint was asked, to be answered by the test. */
interface Asked extends AskOptions {
  readonly endpoint: string
  readonly reply: Deferred<string>
}

describe('the first answer of several endpoints', () => {
  let clock: VirtualClock
  let asked: Asked[]

  const ask = async (endpoint: string, options: AskOptions): Promise<string> => {
    const reply = deferred<string>()
    asked.push({ endpoint, reply, ...options })
    return await reply.promise
  }
  const names = (): string[] => asked.map(({ endpoint }) => endpoint)
  const nth = (index: number): Asked => {
    const one = asked[index]
    assert.ok(one !== undefined, `nobody was asked as number ${index}`)
    return one
  }
  const start = (endpoints: readonly string[], signal?: AbortSignal): Promise<string> =>
    firstAnswer(clock, endpoints, ask, signal === undefined ? {} : { signal })

  beforeEach(() => {
    clock = new VirtualClock()
    asked = []
  })
  afterEach(() => {
    assert.equal(clock.pending, 0, 'a timer was left behind')
  })

  it('asks one only while that one answers', async () => {
    const answer = start(['a', 'b'])
    nth(0).answered()
    await clock.advance(10_000)
    nth(0).reply.resolve('from a')
    assert.equal(await answer, 'from a')
    assert.deepEqual(names(), ['a'])
  })

  it('asks the next at once when one fails', async () => {
    const answer = start(['a', 'b'])
    nth(0).reply.reject(new SourceError('fault', 'gone'))
    await settle()
    assert.deepEqual(names(), ['a', 'b'])
    nth(1).reply.resolve('from b')
    assert.equal(await answer, 'from b')
    assert.equal(clock.monotonic(), 0)
  })

  it('asks the next as well when one is silent, within less than a second, and lets go of the loser', async () => {
    const answer = start(['a', 'b', 'c'])
    await clock.advance(399)
    assert.deepEqual(names(), ['a'])
    await clock.advance(1)
    assert.deepEqual(names(), ['a', 'b'])
    nth(1).answered()
    assert.equal(nth(0).signal.aborted, true)
    assert.equal(nth(1).signal.aborted, false)
    nth(1).reply.resolve('from b')
    assert.equal(await answer, 'from b')
  })

  it('turns to the others again when whoever answered breaks off', async () => {
    const answer = start(['a', 'b'])
    await clock.advance(400)
    nth(1).answered()
    nth(1).reply.reject(new SourceError('fault', 'killed'))
    await settle()
    assert.deepEqual(names(), ['a', 'b', 'a'])
    nth(2).reply.resolve('from a')
    assert.equal(await answer, 'from a')
  })

  it('fails with what is known when all have failed', async () => {
    const ended = assert.rejects(start(['a', 'b', 'c']), { outcome: 'not-found' })
    const outcomes = ['fault', 'not-found', 'timeout'] as const
    for (const [index, outcome] of outcomes.entries()) {
      nth(index).reply.reject(new SourceError(outcome, outcome))
      await settle()
    }
    await ended
  })

  it('ends for a caller who gave up, and tells those who were asked', async () => {
    const controller = new AbortController()
    const reason = new Error('no longer wanted')
    const ended = assert.rejects(start(['a', 'b'], controller.signal), reason)
    await clock.advance(400)
    controller.abort(reason)
    await ended
    assert.deepEqual(
      asked.map(({ signal }) => signal.reason),
      [reason, reason]
    )
  })
})
