import assert from 'node:assert/strict'
import { BoundedQueue, type Job } from '../../../src/lib/bounded-queue.ts'

function never(error: unknown): void {
  assert.fail(`no job should fail: ${String(error)}`)
}

const hang: Job = async ({ signal }) => {
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
}

describe('bounded queue', () => {
  it('runs jobs in order, no more than its concurrency at once', async () => {
    const queue = new BoundedQueue({ concurrency: 2, waitingMax: 10, onError: never })
    let [running, most] = [0, 0]
    const started: number[] = []
    for (let index = 0; index < 6; index++) {
      queue.push(async () => {
        started.push(index)
        most = Math.max(most, ++running)
        await Promise.resolve()
        running--
      })
    }
    await queue.idle()
    assert.deepEqual(started, [0, 1, 2, 3, 4, 5])
    assert.equal(most, 2)
  })

  it('refuses what does not fit', async () => {
    const queue = new BoundedQueue({ concurrency: 1, waitingMax: 1, onError: never })
    assert.deepEqual([queue.push(hang), queue.push(hang), queue.push(hang)], [true, true, false])
    await queue.close()
  })

  it('tells of a failed job and goes on', async () => {
    const errors: unknown[] = []
    const queue = new BoundedQueue({ concurrency: 1, waitingMax: 5, onError: error => errors.push(error) })
    let ran = false
    queue.push(async () => {
      throw new Error('broken')
    })
    queue.push(async () => {
      ran = true
    })
    await queue.idle()
    assert.equal(errors.length, 1)
    assert.equal(ran, true)
  })

  it('on close aborts what runs, forgets what waits and takes nothing more', async () => {
    const queue = new BoundedQueue({ concurrency: 1, waitingMax: 5, onError: never })
    let ran = false
    queue.push(hang)
    queue.push(async () => {
      ran = true
    })
    await queue.close()
    assert.deepEqual([queue.size, ran, queue.push(hang)], [0, false, false])
  })
})
