import assert from 'node:assert/strict'
import { SingleFlight } from '../../../src/lib/single-flight.ts'
import { settle } from '../../support/virtual-clock.ts'

describe('single flight', () => {
  it('runs the work once for all who ask while it runs, and again after', async () => {
    const flights = new SingleFlight<number>()
    let runs = 0
    const work = async (): Promise<number> => ++runs
    assert.deepEqual(await Promise.all([flights.run('a', work), flights.run('a', work), flights.run('b', work)]), [1, 1, 2])
    assert.equal(flights.size, 0)
    assert.equal(await flights.run('a', work), 3)
  })

  it('lets one caller leave without harm to the other', async () => {
    const flights = new SingleFlight<string>()
    const { promise, resolve } = Promise.withResolvers<string>()
    const leaver = new AbortController()
    const first = flights.run('a', async () => await promise, { signal: leaver.signal })
    const second = flights.run('a', async () => await promise)
    leaver.abort(new Error('bored'))
    await assert.rejects(first, /bored/)
    resolve('done')
    assert.equal(await second, 'done')
  })

  it('aborts the work when all have left, and starts afresh for the next', async () => {
    const flights = new SingleFlight<string>()
    const leaver = new AbortController()
    let seen: AbortSignal | undefined
    const hang = async ({ signal }: { readonly signal: AbortSignal }): Promise<string> => {
      seen = signal
      return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const waiting = flights.run('a', hang, { signal: leaver.signal })
    leaver.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    await settle()
    assert.equal(seen?.aborted, true)
    assert.equal(await flights.run('a', async () => 'fresh'), 'fresh')
  })

  it('does not abort work that is done', async () => {
    const flights = new SingleFlight<AbortSignal>()
    const signal = await flights.run('a', async options => options.signal)
    assert.equal(signal.aborted, false)
  })

  it('tells a failure to everyone and forgets it', async () => {
    const flights = new SingleFlight<string>()
    const fail = async (): Promise<string> => {
      throw new Error('broken')
    }
    const results = await Promise.allSettled([flights.run('a', fail), flights.run('a', fail)])
    assert.deepEqual(
      results.map(result => result.status),
      ['rejected', 'rejected']
    )
    assert.equal(await flights.run('a', async () => 'works'), 'works')
  })

  it('starts nothing for a caller who already left', async () => {
    const flights = new SingleFlight<string>()
    let started = false
    const start = async (): Promise<string> => {
      started = true
      return ''
    }
    await assert.rejects(flights.run('a', start, { signal: AbortSignal.abort() }))
    assert.equal(started, false)
  })
})
