import assert from 'node:assert/strict'
import { EventBus } from '../../../src/observe/events.ts'
import { EventFeed } from '../../../src/rpc/event-feed.ts'
import type { FeedItem } from '../../../src/rpc/event-feed.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'
import { openHttp, RawLines, rpcFixture } from './support.ts'

describe('events on a line connection', () => {
  it('are no place for messages of topics: the refusal names the method', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    const { error } = await lines.ask('events.subscribe', { types: ['gc.done', 'pubsub.message'] })
    assert.equal(error?.data['code'], 'INVALID_PARAMS')
    assert.match(error?.message ?? '', /call pubsub\.subscribe/)
  })

  it('answers first and then sends what happens, with the subscription', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe', { types: ['peer.connected'] })
    const { subscription } = (await lines.next()).result ?? {}
    fixture.services.events.emit('peer.disconnected', { peer: 'a' })
    fixture.services.events.emit('peer.connected', { peer: 'b' })
    const event = await lines.next()
    assert.equal(event.method, 'event')
    assert.equal(event.id, undefined)
    assert.deepEqual(event.params, { seq: 2, type: 'peer.connected', at: '2026-01-01T00:00:00.000Z', peer: 'b', subscription })
  })

  it('replays what came after since, in order, before what comes now', async () => {
    await using fixture = await rpcFixture()
    const { events } = fixture.services
    for (let number = 1; number <= 3000; number++) events.emit('gc.done', { number })
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe', { since: 10 })
    await lines.next()
    events.emit('gc.done', { number: 3001 })
    for (let seq = 11; seq <= 3001; seq++) assert.equal((await lines.next()).params?.['seq'], seq)
  })

  it('says what it no longer remembers', async () => {
    await using fixture = await rpcFixture()
    const { events } = fixture.services
    for (let number = 1; number <= 12_000; number++) events.emit('gc.done', { number })
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe', { since: 5, types: ['gc.done'] })
    await lines.next()
    const { type, from, to } = (await lines.next()).params ?? {}
    const first = events.since(0)[0]?.seq
    assert.deepEqual({ type, from, to }, { type: 'events.dropped', from: 6, to: Number(first) - 1 })
    assert.equal((await lines.next()).params?.['seq'], first)
  })

  it('treats a number from before a restart as if nothing had been seen', async () => {
    await using fixture = await rpcFixture()
    fixture.services.events.emit('gc.done')
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe', { since: 500 })
    await lines.next()
    assert.equal((await lines.next()).params?.['seq'], 1)
  })

  it('ends a subscription, and knows only its own', async () => {
    await using fixture = await rpcFixture()
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe')
    const { subscription } = (await lines.next()).result ?? {}
    lines.call('events.unsubscribe', { subscription })
    assert.deepEqual((await lines.next()).result, {})
    fixture.services.events.emit('gc.done')
    lines.call('events.unsubscribe', { subscription })
    assert.equal((await lines.next()).error?.data['code'], 'NOT_FOUND')
  })

  it('drops the oldest for a reader that is too slow and says which', async () => {
    await using fixture = await rpcFixture()
    const { events } = fixture.services
    using lines = await RawLines.open(fixture.socketPath)
    lines.call('events.subscribe')
    await lines.next()
    lines.socket.pause()
    const padding = 'x'.repeat(4096)
    for (let round = 0; round < 30; round++) {
      for (let number = 0; number < 100; number++) events.emit('gc.done', { padding })
      await settle()
    }
    lines.socket.resume()
    const seen: number[] = []
    let dropped: Record<string, unknown> | undefined
    while (seen.at(-1) !== 3000) {
      const { params } = await lines.next()
      if (params?.['type'] === 'events.dropped') dropped = params
      else seen.push(Number(params?.['seq']))
    }
    assert.ok(dropped !== undefined)
    const [from, to] = [Number(dropped['from']), Number(dropped['to'])]
    assert.deepEqual(
      seen,
      [...Array(3000).keys()].map(index => index + 1).filter(seq => seq < from || seq > to)
    )
    assert.ok(3000 - to <= 1024)
  })
})

describe('EventFeed', () => {
  const blockedFeed = (): { feed: EventFeed; bus: EventBus; sent: FeedItem[]; open: () => void } => {
    const clock = new VirtualClock()
    const bus = new EventBus({ clock })
    const sent: FeedItem[] = []
    let isOpen = false
    const feed = new EventFeed(
      { events: bus, clock },
      {
        write: item => {
          sent.push(item)
          return isOpen
        }
      }
    )
    return {
      feed,
      bus,
      sent,
      open: () => {
        isOpen = true
        feed.resume()
      }
    }
  }

  it('merges progress of one transfer before it drops anything', () => {
    const { feed, bus, sent, open } = blockedFeed()
    feed.subscribe({}).start()
    bus.emit('gc.done')
    for (let bytes = 0; bytes < 2000; bytes++) bus.emit('content.progress', { call: 1, bytes })
    bus.emit('gc.done', { last: true })
    open()
    assert.ok(sent.every(({ event }) => event.type !== 'events.dropped'))
    assert.ok(sent.length <= 1026)
    assert.equal(sent.at(-1)?.event['last'], true)
    assert.equal(sent.at(-2)?.event['bytes'], 1999)
  })

  it('counts own progress, which no sequence number names, as no gap', () => {
    const { feed, bus, sent, open } = blockedFeed()
    bus.emit('gc.done')
    for (let call = 0; call < 3000; call++) feed.push({ event: { seq: 1, type: 'content.progress', at: '', call } })
    open()
    assert.equal(sent.length, 1025)
    assert.ok(sent.every(({ event }) => event.type === 'content.progress'))
  })

  it('stops listening when it is closed', () => {
    const { feed, bus, sent } = blockedFeed()
    feed.subscribe({}).start()
    feed.close()
    bus.emit('gc.done')
    assert.deepEqual(sent, [])
  })
})

describe('GET /events', () => {
  const readUntil = async (response: AsyncIterable<Buffer>, end: string): Promise<string> => {
    let text = ''
    for await (const part of response) {
      text += part.toString()
      if (text.includes(end)) break
    }
    return text
  }

  it('replays after Last-Event-ID and goes on', async () => {
    await using fixture = await rpcFixture()
    const { events } = fixture.services
    for (let number = 1; number <= 5; number++) events.emit('gc.done', { number })
    const response = await openHttp(fixture.socketPath, '/events', { headers: { 'last-event-id': '3' } })
    assert.equal(response.headers['content-type'], 'text/event-stream')
    events.emit('peer.connected')
    const text = await readUntil(response, 'id: 6\n')
    assert.deepEqual(text.match(/^id: \d+$/gm), ['id: 4', 'id: 5', 'id: 6'])
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? ''
    assert.equal(JSON.parse(data).seq, 4)
  })

  it('sends only the types asked for, and a sign of life', async () => {
    await using fixture = await rpcFixture()
    const response = await openHttp(fixture.socketPath, '/events?types=peer.connected')
    fixture.services.events.emit('gc.done')
    fixture.services.events.emit('peer.connected')
    await fixture.clock.advance(15_000)
    const text = await readUntil(response, ': alive')
    assert.deepEqual(text.match(/^id: \d+$/gm), ['id: 2'])
  })

  it('ends when the client leaves, and leaves no timer behind', async () => {
    await using fixture = await rpcFixture()
    const response = await openHttp(fixture.socketPath, '/events')
    await settle()
    assert.equal(fixture.clock.pending, 1)
    response.destroy()
    while (fixture.clock.pending > 0) await settle()
    assert.equal(fixture.server.connections(), 0)
  })
})
