import assert from 'node:assert/strict'
import { createLog } from '../../../../src/adapters/system/log.ts'
import type { RootLog } from '../../../../src/ports/log.ts'

function logTo(lines: string[], format: 'json' | 'pretty'): RootLog {
  return createLog({ level: 'info', format, destination: { write: text => lines.push(text) } })
}

describe('log', () => {
  it('writes one JSON object a line, without process and host', () => {
    const lines: string[] = []
    logTo(lines, 'json').child({ part: 'test' }).warn({ count: 3 }, 'three of them')
    const { time, ...rest } = JSON.parse(lines[0] ?? '')
    assert.deepEqual(rest, { level: 40, part: 'test', count: 3, msg: 'three of them' })
    assert.ok(Number.isInteger(time))
  })

  it('writes one readable line, in which no value can forge another', () => {
    const lines: string[] = []
    logTo(lines, 'pretty').info({ peer: '12D3KooW', text: 'a b\n12:00:00.000 error forged', escape: '\u001b[31m' }, 'a message')
    assert.match(
      lines[0] ?? '',
      /^\d\d:\d\d:\d\d\.\d{3} info {2}a message peer=12D3KooW text="a b\\n12:00:00\.000 error forged" escape="\\u001b\[31m"\n$/
    )
    assert.equal((lines[0] ?? '').split('\n').length, 2)
  })

  it('keeps silent below its level, and children follow when it changes', () => {
    const lines: string[] = []
    const log = logTo(lines, 'json')
    const child = log.child({})
    child.debug({}, 'unseen')
    log.setLevel('debug')
    child.debug({}, 'seen')
    log.setLevel('silent')
    child.error({}, 'unseen')
    assert.equal(lines.length, 1)
    assert.equal(log.level, 'silent')
  })

  it('shows errors with their stack', () => {
    const lines: string[] = []
    logTo(lines, 'json').error({ err: new Error('broken') }, 'it broke')
    assert.match(JSON.parse(lines[0] ?? '').err.stack, /log\.spec/)
  })
})
