/** Short questions between real hosts, and peers that break the form of them. */
import assert from 'node:assert/strict'
import { encode } from 'cborg'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KithError } from '../../src/errors.ts'
import { CONTROL_BYTES_MAX, CONTROL_PROTOCOL } from '../../src/peers/control-codec.ts'
import { ControlChannel } from '../../src/peers/control.ts'
import { STRANGERS } from '../../src/peers/strangers.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { ControlValue } from '../../src/ports/control.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import type { Offence, Standing } from '../../src/ports/standing.ts'
import { silentLog } from '../support/silent-log.ts'
import { settle, VirtualClock } from '../support/virtual-clock.ts'
import { rejection } from './daemon-support.ts'
import { addressOf, startTestHost } from './exchange-support.ts'

interface Node extends AsyncDisposable {
  readonly host: Host
  readonly control: ControlChannel
  readonly offences: [peer: string, offence: Offence][]
}

async function startNode(standing: Partial<Standing> = {}, clock: Clock = systemClock): Promise<Node> {
  const host = await startTestHost()
  const offences: [string, Offence][] = []
  const report = (peer: string, offence: Offence): void => void offences.push([peer, offence])
  const control = new ControlChannel({ network: host, standing: { ...STRANGERS, report, ...standing }, clock, log: silentLog })
  await control.start()
  return {
    host,
    control,
    offences,
    [Symbol.asyncDispose]: async () => {
      control.stop()
      await host.stop()
    }
  }
}

/** Two nodes that are connected; `a` is the one asked. */
async function startPair(
  standing?: Partial<Standing>,
  clock?: Clock
): Promise<{ a: Node; b: Node; ask(kind: string, body: ControlValue): Promise<ControlValue> } & AsyncDisposable> {
  const [a, b] = await Promise.all([startNode(standing, clock), startNode()])
  await b.host.connect(addressOf(a.host))
  return {
    a,
    b,
    ask: async (kind, body) => await b.control.ask(a.host.self, kind, body, { signal: AbortSignal.timeout(50_000) }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()])
    }
  }
}

/** Writes raw bytes as a question. @returns what came back until the end; null if the stream was reset */
async function sendRaw(from: Host, to: string, bytes: readonly Uint8Array[]): Promise<Uint8Array | null> {
  const stream = await from.open(to, CONTROL_PROTOCOL)
  try {
    await stream.write(bytes)
    return await readAll(stream)
  } catch {
    return null
  }
}

async function readAll(stream: PeerStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) parts.push(chunk)
  return Buffer.concat(parts)
}

function message(payload: Uint8Array, length = payload.byteLength): Uint8Array {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(length)
  return Buffer.concat([header, payload])
}

describe('the control channel', () => {
  it('carries a question and its answer, whatever values they are made of', async () => {
    await using pair = await startPair()
    const body = {
      text: 'é',
      list: [1, -1, 1.5, null, true],
      bytes: new Uint8Array([1, 2]),
      inner: { __proto__: null, a: [] },
      ['__proto__']: 1
    }
    pair.a.control.handle('echo', async (peer, value) => ({ peer, value }))
    const answer = await pair.ask('echo', body)
    assert.deepEqual(answer, { peer: pair.b.host.self, value: { ...body, inner: { a: [] } } })
    const many = await Promise.all(Array.from({ length: 20 }, async (_, n) => await pair.ask('echo', n)))
    assert.equal(many.length, 20)
    assert.deepEqual([pair.a.offences, pair.b.offences], [[], []])
  })

  it('hands the code and the words of a refusal to the asker, and no others', async () => {
    await using pair = await startPair()
    pair.a.control.handle('no', async () => {
      throw new KithError('UNAUTHORIZED', 'not\u001b[2J you\u202e!\n')
    })
    pair.a.control.handle('bug', async () => {
      throw new Error('the secret is 7')
    })
    pair.a.control.handle('large', async () => new Uint8Array(CONTROL_BYTES_MAX))
    const no = await rejection(pair.ask('no', null))
    assert.deepEqual([no.code, no.data['answered']], ['UNAUTHORIZED', 'not [2J you ! '])
    for (const kind of ['bug', 'unheard-of']) {
      const error = await rejection(pair.ask(kind, null))
      assert.equal(error.code, 'UNAVAILABLE')
      assert.doesNotMatch(error.message, /secret/)
    }
    assert.equal((await rejection(pair.ask('large', null))).code, 'TOO_LARGE')
    assert.equal((await rejection(pair.ask('no', new Uint8Array(CONTROL_BYTES_MAX)))).code, 'TOO_LARGE')
    const stranger = await rejection(pair.a.control.ask('12D3KooWGzBn7dPUJbXKdKfeM7ih6iqrTZtXNWgTKDYfTCrFHnGS', 'no', null, {}))
    assert.equal(stranger.code, 'UNAVAILABLE')
  })

  it('resets what is no question, and reports it', async () => {
    await using pair = await startPair()
    pair.a.control.handle('echo', async () => null)
    const deep = Buffer.concat([encode({ k: 'echo' }).with(0, 0xa2), encode('body'), Buffer.alloc(5_000, 0x81), encode(1)])
    const bad = {
      'a length above the limit': [message(new Uint8Array(0), 2 ** 31)],
      'no CBOR': [message(Buffer.from([0xff, 0xff]))],
      'no map': [message(encode(['echo']))],
      'no kind': [message(encode({ body: 1 }))],
      'a kind that is no text': [message(encode({ k: 7 }))],
      'a key that is no text': [message(Buffer.from([0xa1, 0x01, 0x01]))],
      'the same key twice': [message(Buffer.from([0xa2, 0x61, 0x6b, 0x61, 0x61, 0x61, 0x6b, 0x61, 0x61]))],
      'bytes behind it': [message(encode({ k: 'echo' })), new Uint8Array(1)],
      'lists within lists': [message(deep)]
    }
    for (const [what, bytes] of Object.entries(bad)) {
      const before = pair.a.offences.length
      assert.equal(await sendRaw(pair.b.host, pair.a.host.self, bytes), null, what)
      assert.deepEqual(pair.a.offences.slice(before), [[pair.b.host.self, 'protocol-violation']], what)
    }
    assert.equal(await pair.ask('echo', 1), null)
  })

  it('calls nobody an offender whose stream ends inside a message', async () => {
    await using pair = await startPair()
    pair.a.control.handle('echo', async (_peer, value) => value)
    const half = message(encode({ k: 'echo' }), 100)
    for (const isClean of [true, false]) {
      const stream = await pair.b.host.open(pair.a.host.self, CONTROL_PROTOCOL)
      await stream.write([half])
      if (isClean) await stream.close()
      else stream.abort(new Error('gone'))
      await assert.rejects(readAll(stream))
    }
    assert.equal(await pair.ask('echo', 1), 1)
    await pair.a.host.libp2p.unhandle(CONTROL_PROTOCOL)
    await pair.a.host.handle(CONTROL_PROTOCOL, async stream => {
      await stream.read()
      await stream.write([half])
      await stream.close()
    })
    assert.match((await rejection(pair.ask('echo', 1))).message, /connection to it was lost/)
    assert.deepEqual([pair.a.offences, pair.b.offences], [[], []])
  })

  it('does not believe the form of an answer either', async () => {
    await using pair = await startPair()
    const answers = [encode(7), encode({}), encode({ ok: 1, error: 1 }), encode({ error: { code: 1, message: 'x' } }), Buffer.from([0xa1])]
    await pair.a.host.libp2p.unhandle(CONTROL_PROTOCOL)
    await pair.a.host.handle(CONTROL_PROTOCOL, async stream => {
      await stream.read()
      await stream.write([message(answers.shift() ?? new Uint8Array())])
      await stream.close()
    })
    for (let count = answers.length; count > 0; count--) assert.equal((await rejection(pair.ask('echo', 1))).code, 'UNAVAILABLE')
    assert.equal(pair.b.offences.length, 5)
    answers.push(encode({ error: { code: 'INTERNAL', message: 'a'.repeat(10_000) } }))
    const error = await rejection(pair.ask('echo', 1))
    assert.equal(error.code, 'UNAVAILABLE')
    assert.equal(error.message.length < 500, true)
  })

  it('does not wait for a question that does not come', async () => {
    const clock = new VirtualClock()
    await using pair = await startPair({}, clock)
    const stream = await pair.b.host.open(pair.a.host.self, CONTROL_PROTOCOL)
    await stream.write([new Uint8Array([0, 0])])
    while (clock.pending === 0) await settle()
    const end = assert.rejects(readAll(stream))
    await clock.advance(2_000)
    await end
  })

  it('answers nobody more than its rate, says so, and calls a flood what goes on', async () => {
    const clock = new VirtualClock()
    await using pair = await startPair({}, clock)
    pair.a.control.handle('echo', async (_peer, value) => value)
    const codes: (string | undefined)[] = []
    for (let n = 0; n < 230; n++)
      codes.push(
        await pair.ask('echo', n).then(
          () => undefined,
          (error: KithError) => error.code
        )
      )
    const count = (code: string | undefined): number => codes.filter(found => found === code).length
    assert.deepEqual([count(undefined), count('RATE_LIMITED'), count('UNAVAILABLE')], [100, 100, 30])
    assert.deepEqual(pair.a.offences, [[pair.b.host.self, 'flood']], 'one offence a minute')
    await clock.advance(10_000)
    assert.equal(await pair.ask('echo', 1), 1)
  })

  it('holds against nobody what others asked too much', async () => {
    const clock = new VirtualClock()
    await using pair = await startPair({}, clock)
    pair.a.control.handle('echo', async (_peer, value) => value)
    const others = await Promise.all([startNode(), startNode()])
    for (const { host, control } of others) {
      await host.connect(addressOf(pair.a.host))
      for (let n = 0; n < 100; n++) await control.ask(pair.a.host.self, 'echo', n, {})
    }
    for (let n = 0; n < 150; n++) {
      const error = await rejection(pair.ask('echo', n))
      assert.equal(error.code, 'RATE_LIMITED', `question ${n}`)
    }
    assert.deepEqual(pair.a.offences, [])
    await Promise.all(others.map(async node => await node[Symbol.asyncDispose]()))
  })

  it('answers a stranger while others keep streams open and say nothing', async () => {
    await using pair = await startPair()
    pair.a.control.handle('echo', async (_peer, value) => value)
    const others = await Promise.all(Array.from({ length: 12 }, async () => await startTestHost()))
    for (const host of others) {
      await host.connect(addressOf(pair.a.host))
      for (let n = 0; n < 6; n++) await (await host.open(pair.a.host.self, CONTROL_PROTOCOL)).write([new Uint8Array([0])])
    }
    assert.equal(await pair.ask('echo', 7), 7)
    assert.deepEqual(pair.a.offences, [])
    await Promise.all(others.map(async host => await host.stop()))
  })

  it('answers at most six questions of a peer at once', async () => {
    await using pair = await startPair()
    const held = Promise.withResolvers<void>()
    const six = Promise.withResolvers<void>()
    let running = 0
    pair.a.control.handle('wait', async () => {
      if (++running === 6) six.resolve()
      await held.promise
      return null
    })
    const ask = async (): Promise<string> =>
      Buffer.from((await sendRaw(pair.b.host, pair.a.host.self, [message(encode({ k: 'wait' }))])) ?? []).toString('latin1')
    const answers = Array.from({ length: 6 }, ask)
    await six.promise
    assert.match(await ask(), /RATE_LIMITED/)
    held.resolve()
    assert.equal((await Promise.all(answers)).filter(text => text.includes('ok')).length, 6)
  })

  it('does not answer those this node has nothing to do with', async () => {
    await using pair = await startPair({ isShunned: () => true })
    pair.a.control.handle('echo', async () => 'never')
    assert.equal((await rejection(pair.ask('echo', 1))).code, 'UNAUTHORIZED')
  })
})
