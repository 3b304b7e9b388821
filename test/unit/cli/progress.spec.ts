import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import type { Output } from '../../../src/cli/command.ts'
import { progressBar, progressLine } from '../../../src/cli/progress.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const CLEAR = '\r\u001b[K'
const MIB = 2 ** 20

/** A terminal that shows what stands on its last line. */
function terminal(columns = 100): {
  readonly output: Output & { columns: number }
  readonly writes: string[]
  readonly shown: () => string
} {
  const writes: string[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk.toString())
      done()
    }
  })
  const output = Object.assign(stream, { isTTY: true, columns })
  return { output, writes, shown: () => writes.join('').split(CLEAR).at(-1) ?? '' }
}

const MOMENT = { label: 'a.bin', bytes: MIB, total: 2 * MIB, source: 'peer 12D3', elapsed: 1000, rate: MIB, columns: 99 }

describe('progress line', () => {
  it('shows bytes, rate, time left and who serves', () => {
    assert.equal(progressLine(MOMENT), 'a.bin  [############------------]  50 %  1.0 MiB  1.0 MiB/s  1.0 s left  from peer 12D3')
  })

  it('shows what is known when the whole is not', () => {
    assert.equal(progressLine({ ...MOMENT, total: undefined, source: undefined }), 'a.bin  1.0 MiB  1.0 MiB/s')
    assert.equal(progressLine({ ...MOMENT, bytes: 0, elapsed: 2500 }).includes('waiting for the first byte, 2.5 s'), true)
  })

  it('never takes more columns than there are, and gives up the bar first', () => {
    for (const label of ['a.bin', 'ein sehr langer Name, der nirgends ganz hinpasst.tar.gz', '写真'.repeat(40)]) {
      for (let columns = 1; columns < 120; columns++) {
        const line = progressLine({ ...MOMENT, label, columns })
        const wide = line.match(/[写真]/g)?.length ?? 0
        assert.ok(line.length + wide <= columns, `${columns}: ${line}`)
      }
    }
    assert.match(progressLine({ ...MOMENT, columns: 60 }), /^a\.bin {2}50 % .*from peer/)
    assert.match(progressLine({ ...MOMENT, columns: 40 }), /^50 %|^a\.bin {2}50 %/)
  })

  it('lets no name move the cursor', () => {
    const line = progressLine({ ...MOMENT, label: 'a\u001b[2J', source: 'x\r\u202e' })
    assert.ok(['\u001b', '\r', '\u202e'].every(character => !line.includes(character)))
  })
})

describe('progress bar', () => {
  it('is redrawn by the clock, however often it hears something', async () => {
    const clock = new VirtualClock()
    const { output, writes, shown } = terminal()
    const bar = progressBar(output, 'a.bin', clock)
    for (let step = 1; step <= 1000; step++) {
      bar.update(step * 1000, 1_000_000)
      await clock.advance(1)
    }
    assert.ok(writes.length <= 10, `${writes.length} writes in a second`)
    assert.match(shown(), /99 %|100 %/)
    bar.done()
    assert.equal(shown(), '')
    assert.equal(clock.pending, 0)
  })

  it('takes a terminal that claims to have no columns for one of 80', async () => {
    const clock = new VirtualClock()
    const { output, shown } = terminal(0)
    const bar = progressBar(output, 'a.bin', clock)
    bar.update(10, 20)
    await clock.advance(1000)
    assert.match(shown(), /^a\.bin .*50 %/)
    bar.done()
  })

  it('shows a stall as a stall', async () => {
    const clock = new VirtualClock()
    const { output, shown } = terminal()
    const bar = progressBar(output, 'a.bin', clock)
    bar.update(10 * MIB, 20 * MIB)
    await clock.advance(1000)
    assert.match(shown(), /10\.0 MiB\/s/)
    await clock.advance(10_000)
    assert.match(shown(), / 0 B\/s/)
    assert.doesNotMatch(shown(), /left/)
    bar.done()
  })

  it('keeps the last source it heard of', async () => {
    const clock = new VirtualClock()
    const { output, shown } = terminal()
    const bar = progressBar(output, 'a.bin', clock)
    bar.update(1, 100, 'gateway https://ipfs.io')
    bar.update(2, 100)
    await clock.advance(200)
    assert.match(shown(), /from gateway https:\/\/ipfs\.io/)
    bar.done()
  })

  it('shows nothing for what is over at once', async () => {
    const clock = new VirtualClock()
    const { output, writes } = terminal()
    const bar = progressBar(output, 'a.bin', clock)
    bar.update(5, 5)
    bar.done()
    await clock.advance(1000)
    assert.deepEqual(writes, [])
  })

  it('shows nothing on a pipe', async () => {
    const clock = new VirtualClock()
    const { output, writes } = terminal()
    for (const silent of [Object.assign(output, { isTTY: false }), undefined]) {
      const bar = progressBar(silent, 'x', clock)
      bar.update(1, 2)
      await clock.advance(1000)
      bar.done()
    }
    assert.deepEqual(writes, [])
  })
})
