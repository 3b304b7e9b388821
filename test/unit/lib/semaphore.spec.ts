import assert from 'node:assert/strict'
import { Semaphore } from '../../../src/lib/semaphore.ts'
import { settle } from '../../support/virtual-clock.ts'

describe('semaphore', () => {
  it('lets in as many as its limit, the others in their order', async () => {
    const semaphore = new Semaphore({ limit: 2, waitingMax: 10, name: 'tests' })
    const first = await semaphore.acquire()
    await semaphore.acquire()
    const order: string[] = []
    const waiting = ['c', 'd'].map(async name => {
      const place = await semaphore.acquire()
      order.push(name)
      place[Symbol.dispose]()
    })
    await settle()
    assert.deepEqual([semaphore.held, semaphore.waiting, order], [2, 2, []])
    first[Symbol.dispose]()
    await Promise.all(waiting)
    assert.deepEqual(order, ['c', 'd'])
    assert.equal(semaphore.held, 1)
  })

  it('gives a place back once, however often it is disposed', async () => {
    const semaphore = new Semaphore({ limit: 1, waitingMax: 0, name: 'tests' })
    const place = await semaphore.acquire()
    place[Symbol.dispose]()
    place[Symbol.dispose]()
    assert.equal(semaphore.held, 0)
  })

  it('refuses when the line is full, naming the limit', async () => {
    const semaphore = new Semaphore({ limit: 1, waitingMax: 0, name: 'retrievals' })
    await semaphore.acquire()
    await assert.rejects(semaphore.acquire(), { code: 'RATE_LIMITED', message: /1 retrievals/ })
  })

  it('forgets who left the line', async () => {
    const semaphore = new Semaphore({ limit: 1, waitingMax: 5, name: 'tests' })
    const place = await semaphore.acquire()
    const leaver = new AbortController()
    const waiting = semaphore.acquire({ signal: leaver.signal })
    leaver.abort(new Error('left'))
    await assert.rejects(waiting, /left/)
    assert.equal(semaphore.waiting, 0)
    place[Symbol.dispose]()
    assert.equal(semaphore.held, 0)
  })
})
