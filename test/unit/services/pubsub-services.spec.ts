import assert from 'node:assert/strict'
import type { AppMessage } from '../../../src/ports/app-topics.ts'
import { pubsubServices } from '../../../src/services/pubsub-services.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

function setUp() {
  const joined = new Map<string, (message: AppMessage) => void>()
  const sent: string[] = []
  const clock = new VirtualClock()
  const topics = {
    bytesMax: 100,
    join: (name: string, receive: (message: AppMessage) => void) => {
      joined.set(name, receive)
      return () => void joined.delete(name)
    },
    publish: async (name: string) => sent.push(name)
  }
  const services = pubsubServices({ topics, clock, self: 'me', didOf: peer => `did:${peer}` })
  return { services, joined, sent, clock }
}

describe('topics of apps at one node', () => {
  it('are joined once, however many listen, and left with the last', () => {
    const { services, joined } = setUp()
    const got: string[] = []
    const first = services.subscribe('t', ({ from, did }) => got.push(`1 ${from} ${did}`))
    const second = services.subscribe('t', ({ from }) => got.push(`2 ${from}`))
    joined.get('t')?.({ from: 'peer', data: new Uint8Array() })
    assert.deepEqual(got, ['1 peer did:peer', '2 peer'])
    first()
    first()
    assert.deepEqual([...joined.keys()], ['t'])
    second()
    assert.deepEqual([...joined.keys()], [])
  })

  it('are so many at once, and no more', () => {
    const { services } = setUp()
    const leaves = Array.from({ length: 256 }, (_, index) => services.subscribe(`t${index}`, () => {}))
    assert.throws(() => services.subscribe('one more', () => {}), { code: 'RATE_LIMITED' })
    leaves[0]?.()
    services.subscribe('one more', () => {})
  })

  it('take so many messages a second, and say when there is room again', async () => {
    const { services, sent, clock } = setUp()
    for (let i = 0; i < 256; i++) await services.publish({ topic: 't', data: new Uint8Array() })
    await assert.rejects(services.publish({ topic: 't', data: new Uint8Array() }), {
      code: 'RATE_LIMITED',
      data: { limit: 32, retryAfterMs: 32 }
    })
    assert.equal(sent.length, 256)
    await clock.advance(32)
    await services.publish({ topic: 't', data: new Uint8Array() })
    await assert.rejects(services.publish({ topic: 't', data: new Uint8Array(101) }), { code: 'TOO_LARGE' })
  })
})
