import assert from 'node:assert/strict'
import type { Line } from '../../../../src/adapters/libp2p/line.ts'
import { Liveness } from '../../../../src/adapters/libp2p/liveness.ts'
import { silentLog } from '../../../support/silent-log.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

class FakeLine implements Line {
  readonly peer = 'peer'
  received = 0
  taken = 0
  waiting = 0
  ended: Error | undefined
  #close = (): void => {}

  abort(error: Error): void {
    this.ended = error
    this.#close()
  }
  close(): void {
    this.#close()
  }
  onClose(run: () => void): void {
    this.#close = run
  }
}

describe('a connection', () => {
  let clock: VirtualClock
  let liveness: Liveness
  let line: FakeLine
  beforeEach(() => {
    clock = new VirtualClock()
    liveness = new Liveness({ clock, log: silentLog })
    line = new FakeLine()
    liveness.watch(line)
  })

  /** Five seconds after five seconds, with `happen` in between. */
  async function pass(seconds: number, happen: () => void = () => {}): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 5) {
      happen()
      await clock.advance(5_000)
    }
  }

  it('is ended when nothing came for half a minute', async () => {
    await pass(25)
    assert.equal(line.ended, undefined)
    await pass(5)
    assert.match(String(line.ended), /nothing came from peer for 30 s/)
    assert.equal(clock.pending, 0)
  })

  it('lives while anything comes, were it a byte in twenty seconds', async () => {
    for (let round = 0; round < 20; round++) {
      line.received += 1
      await pass(20)
    }
    assert.equal(line.ended, undefined)
    assert.equal(liveness.received('peer'), 20)
    assert.equal(liveness.received('another'), 0)
  })

  it('lives while the other side takes what waits for it', async () => {
    line.waiting = 1_000_000
    await pass(600, () => {
      line.taken += 10_000
    })
    assert.equal(line.ended, undefined)
    await pass(30)
    assert.notEqual(line.ended, undefined, 'it takes no more of it')
  })

  it('is not kept by own bytes that the system takes without asking anybody', async () => {
    await pass(30, () => {
      line.taken += 40
    })
    assert.notEqual(line.ended, undefined)
  })

  it('is not judged by time in which nobody looked: what came meanwhile is found first', async () => {
    await pass(25)
    await clock.advance(4_999)
    line.received += 1
    await pass(25)
    assert.equal(line.ended, undefined)
  })

  it('is forgotten when it closes, and nothing goes on', async () => {
    const second = new FakeLine()
    liveness.watch(second)
    line.received = 7
    second.received = 8
    assert.equal(liveness.received('peer'), 15)
    line.close()
    assert.equal(liveness.received('peer'), 8)
    second.close()
    await pass(5)
    assert.equal(clock.pending, 0)
    liveness.watch(new FakeLine())
    assert.equal(clock.pending, 1)
  })

  it('is given more time for an answer while its bytes come, though not for ever', async () => {
    const goesOn = liveness.whileComing('peer', 10_000)
    await clock.advance(10_000)
    line.received += 40_960
    assert.deepEqual([goesOn(), goesOn()], [true, false], 'what came is counted once')
    line.received += 40_959
    assert.equal(goesOn(), false, 'a byte now and then is silence')
    for (let seconds = 10; seconds < 260; seconds += 10) {
      line.received += 40_960
      await clock.advance(10_000)
    }
    assert.equal(goesOn(), false)
  })
})
