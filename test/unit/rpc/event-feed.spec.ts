import assert from 'node:assert/strict'
import { EventBus } from '../../../src/observe/events.ts'
import { EventFeed, type FeedItem } from '../../../src/rpc/event-feed.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

function setUp() {
  const clock = new VirtualClock()
  const events = new EventBus({ clock })
  const written: FeedItem[] = []
  let isOpen = false
  const feed = new EventFeed(
    { events, clock },
    {
      write: item => {
        written.push(item)
        return isOpen
      }
    }
  )
  let push: (fields: Record<string, unknown>, size: number) => void = () => {}
  let isEnded = false
  const attached = feed.attach({
    type: 'pubsub.message',
    key: 't',
    open: given => {
      push = given
      return () => {
        isEnded = true
      }
    }
  })
  return {
    feed,
    written,
    attached,
    push: (n: number, size: number) => push({ n }, size),
    isEnded: () => isEnded,
    read: () => {
      isOpen = true
      feed.resume()
    }
  }
}

describe('messages of topics on their way to one connection', () => {
  it('begin with the answer that names the subscription', () => {
    const { written, attached, push } = setUp()
    push(1, 10)
    attached.start()
    push(2, 10)
    assert.deepEqual(
      written.map(({ event, subscription }) => [event['n'], subscription]),
      [[2, attached.subscription]]
    )
  })

  it('wait in bounded memory for who does not read: the oldest go, and it is told how many', () => {
    const { written, attached, push, read } = setUp()
    attached.start()
    for (let n = 0; n < 100; n++) push(n, 250_000)
    assert.equal(written.length, 1)
    read()
    const dropped = written.find(({ event }) => event.type === 'events.dropped')?.event
    const kept = written.filter(({ event }) => event.type === 'pubsub.message').map(({ event }) => event['n'])
    assert.equal(dropped?.['messages'], 100 - kept.length)
    assert.equal(kept.at(-1), 99)
    assert.ok(kept.length > 10 && kept.length < 20, `${kept.length} kept`)
  })

  it('end by their key, once', () => {
    const { feed, attached, isEnded } = setUp()
    attached.start()
    assert.equal(feed.detach('other'), false)
    assert.equal(feed.detach('t'), true)
    assert.deepEqual([isEnded(), feed.detach('t'), feed.unsubscribe(attached.subscription)], [true, false, false])
  })
})
