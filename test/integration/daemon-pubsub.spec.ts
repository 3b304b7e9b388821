/** Topics of apps between real daemons: what one publishes, those that listen hear, and nobody else. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { KithEvent } from '../../src/rpc/client.ts'
import { RawLines } from '../support/raw-lines.ts'
import { base64, publishOnceHeard, rejection, startPair } from './daemon-support.ts'

const KITH = join(import.meta.dirname, '../../bin/kith.js')
const TOPIC = 'lobby/zürich'

/** Messages of a topic, from when the subscription is there. */
async function listen(daemon: DaemonProcess, topic: string): Promise<RawLines> {
  const lines = await RawLines.open(daemon.ready.socket)
  assert.equal(typeof (await lines.ask('pubsub.subscribe', { topic })).result?.['subscription'], 'string')
  return lines
}

/** Topic and data of the next message, past events of other kinds. */
async function nextMessage(lines: RawLines): Promise<unknown[]> {
  for (;;) {
    const { params } = await lines.next()
    if (params?.['type'] === 'pubsub.message') return [params['topic'], params['data']]
  }
}

describe('topics of apps', () => {
  let pair: Awaited<ReturnType<typeof startPair>>
  before(async () => {
    const token = `{name: app, sha256: "${createHash('sha256').update('app').digest('hex')}", scopes: [read]}`
    pair = await startPair([`access.tokens=[${token}]`])
  })
  after(async () => await pair[Symbol.asyncDispose]())

  it('carry a message to who listens on another node, also from one that never joined', async () => {
    const { a, b } = pair
    using listener = await listen(b, TOPIC)
    const came = listener.next()
    await publishOnceHeard(a, TOPIC, 'hello')
    const { method, params } = await came
    assert.equal(method, 'event')
    const { topic, from, did, data, type } = params ?? {}
    assert.deepEqual([type, topic, from, did, data], ['pubsub.message', TOPIC, a.ready.peerId, a.ready.did, base64('hello')])
  })

  it('tell other apps of the same node, and not the one that published', async () => {
    const { a } = pair
    using other = await listen(a, 'here')
    using own = await listen(a, 'here')
    await own.ask('pubsub.publish', { topic: 'here', data: base64('mine') })
    const mine = (await other.next()).params
    assert.equal(mine?.['data'], base64('mine'))
    await a.client.call('pubsub.publish', { topic: 'here', data: base64('theirs') })
    assert.equal((await own.next()).params?.['data'], base64('theirs'))
    assert.ok(Number((await other.next()).params?.['seq']) > Number(mine?.['seq']), 'each message has a number of its own')
  })

  it('end with their subscription, by its name or that of the topic', async () => {
    const { a } = pair
    using lines = await RawLines.open(a.ready.socket)
    const { result } = await lines.ask('pubsub.subscribe', { topic: 'short' })
    assert.deepEqual((await lines.ask('pubsub.unsubscribe', { subscription: result?.['subscription'] })).result, {})
    await lines.ask('pubsub.subscribe', { topic: 'short' })
    assert.deepEqual((await lines.ask('pubsub.unsubscribe', { topic: 'short' })).result, {})
    assert.equal((await lines.ask('pubsub.unsubscribe', { topic: 'short' })).error?.data['code'], 'NOT_FOUND')
    await a.client.call('pubsub.publish', { topic: 'short', data: base64('nobody hears') })
    assert.equal((await lines.ask('daemon.version')).error, undefined)
  })

  it('refuse what gossip does not carry, names that are none, and a swarm', async () => {
    const { a } = pair
    const large = await rejection(a.client.call('pubsub.publish', { topic: 'x', data: base64(new Uint8Array(300 * 1024)) }))
    assert.equal(large.code, 'TOO_LARGE')
    for (const topic of ['', ' x', 'a\u0000b', 'a\u202eb', 'ü'.repeat(65), '\ud800'])
      assert.equal((await rejection(a.client.call('pubsub.publish', { topic, data: '' }))).code, 'INVALID_PARAMS', JSON.stringify(topic))
    assert.equal((await rejection(a.client.request('pubsub.publish', { topic: 'x', data: '', swarm: 'y' }))).code, 'NOT_BUILT')
    assert.equal((await rejection(a.client.call('pubsub.publish', { topic: 'x', data: '!' }))).code, 'INVALID_PARAMS')
  })

  it('give a token what it subscribed to and nothing else', async () => {
    const { a, b } = pair
    using app = await RawLines.open(b.ready.socket)
    assert.equal((await app.ask('auth.login', { token: 'app' })).error, undefined)
    assert.equal((await app.ask('pubsub.publish', { topic: 'p', data: '' })).error?.data['code'], 'UNAUTHORIZED')
    await app.ask('pubsub.subscribe', { topic: 'mine' })
    await app.ask('events.subscribe', {})
    using operator = await listen(b, 'not-mine')
    const seen = operator.next()
    await publishOnceHeard(a, 'not-mine', 'secret')
    await seen
    const came = nextMessage(app)
    await publishOnceHeard(a, 'mine', 'for the app')
    assert.deepEqual(await came, ['mine', base64('for the app')])
  })

  it('hold a node that publishes without measure to what others take', async () => {
    const { a } = pair
    const answers = await Promise.allSettled(
      Array.from({ length: 600 }, async () => await a.client.call('pubsub.publish', { topic: 'flood', data: '' }))
    )
    const refused = answers.filter(answer => answer.status === 'rejected')
    assert.ok(refused.length > 0)
    assert.ok(refused.every(({ reason }) => (reason as { code?: string }).code === 'RATE_LIMITED'))
  })

  it('stream from the command line', async () => {
    const { a, b } = pair
    const child = spawn(process.execPath, [KITH, 'pubsub', 'subscribe', 'shell', '--json', '--home', b.home])
    const line = once(createInterface({ input: child.stdout }), 'line')
    const publish = async (): Promise<number> => {
      const run = spawn(process.execPath, [KITH, 'pubsub', 'publish', 'shell', 'over there', '--json', '--home', a.home])
      const [text] = await once(createInterface({ input: run.stdout }), 'line')
      return (JSON.parse(String(text)) as { peers: number }).peers
    }
    while ((await publish()) === 0);
    const [text] = await line
    const message = JSON.parse(String(text)) as KithEvent
    assert.deepEqual([message.type, message['data']], ['pubsub.message', base64('over there')])
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    await ended
  })
})
