/** Peers that flood a real daemon: they cost themselves, nothing of it stays, and a peer that behaves is served meanwhile. */
import assert from 'node:assert/strict'
import { connect as connectSocket, type Socket } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { varint } from 'multiformats'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { ExchangeClient } from '../../src/exchange/client.ts'
import { EXCHANGE_PROTOCOL } from '../../src/exchange/protocol.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { unharmed } from './bad-input-support.ts'
import { base64, MIB } from './daemon-support.ts'
import { clientOf, Collector, dagRequest, patterned, startTestHost } from './exchange-support.ts'

const STREAMS = 10_000
/** Streams opened at once; the attacker shares its process with a good peer, which must get a turn. */
const BURST = 500
const HALF_OPEN = 1_000
const CHURN = 300
const WANTS = 1_000_000
const BITSWAP = '/ipfs/bitswap/1.2.0'
const MESHSUB = '/meshsub/1.1.0'

/** Fields of protobuf, as much as the floods need. */
const field = (number: number, bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from([number * 8 + 2]), prefixed(bytes)])
const prefixed = (bytes: Uint8Array): Uint8Array => {
  const length = new Uint8Array(varint.encodingLength(bytes.byteLength))
  varint.encodeTo(bytes.byteLength, length)
  return Buffer.concat([length, bytes])
}

async function turn(): Promise<void> {
  await new Promise<void>(resolve => {
    setImmediate(resolve)
  })
}

describe('a daemon under attack', function () {
  // Attacks are work, and the attacker runs beside the daemon: a busy machine takes its time.
  this.timeout(120_000)
  const content = patterned(3 * MIB)
  let daemon: DaemonProcess
  let root: CID
  let good: Host
  let asking: ExchangeClient
  let attacker: Libp2p
  let connection: Connection

  before(async () => {
    daemon = await DaemonProcess.start()
    const put = await daemon.client.call('content.put', { data: base64(content), privacy: 'public' })
    root = CID.parse(put.cid)
    good = await startTestHost()
    asking = clientOf(good)
    await good.connect(daemon.address)
  })
  after(async () => {
    await good.stop()
    await daemon[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    attacker = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux({ maxOutboundStreams: 2 * STREAMS })],
      services: { identify: identify() }
    })
  })
  afterEach(async () => {
    await attacker.stop()
  })

  /** A peer that behaves gets the whole content, over the connection it has. */
  async function isServed(): Promise<void> {
    const got = new Collector()
    assert.equal(await asking.dag(daemon.ready.peerId, dagRequest({ cid: root }), got, { signal: AbortSignal.timeout(100_000) }), 'ok')
    assert.ok(Buffer.from(content).equals(got.content))
  }

  /** The attack runs, a good peer is served meanwhile and afterwards, and nothing is left of it. */
  async function withstands(attack: () => Promise<unknown>): Promise<void> {
    await unharmed(daemon, async () => {
      const attacking = attack()
      await isServed()
      await attacking
      await isServed()
      await attacker.stop()
    })
  }

  async function intrude(): Promise<void> {
    connection = await attacker.dial(multiaddr(daemon.address))
  }

  /** Resolves when the other side has taken everything or thrown us out. */
  async function pour(protocol: string, parts: Iterable<Uint8Array>): Promise<void> {
    const stream = await connection.newStream(protocol)
    for (const part of parts) {
      if (stream.status !== 'open') return
      try {
        if (!stream.send(part)) await drained(stream)
      } catch {
        return
      }
    }
    await stream.close().catch(() => {})
  }

  async function drained(stream: Stream): Promise<void> {
    await new Promise<void>(resolve => {
      for (const type of ['drain', 'close'] as const) stream.addEventListener(type, () => resolve(), { once: true })
    })
  }

  it('bears 10,000 streams of one peer', async () => {
    await intrude()
    await withstands(async () => {
      for (let opened = 0; opened < STREAMS; opened += BURST) {
        const opening = Array.from(
          { length: BURST },
          async () => await connection.newStream(EXCHANGE_PROTOCOL, { maxOutboundStreams: STREAMS })
        )
        await Promise.allSettled(opening)
      }
    })
  })

  it('bears requests that come a byte at a time, and never to an end', async () => {
    await intrude()
    await withstands(async () => {
      const drips = Array.from({ length: 16 }, async () => {
        const stream = await connection.newStream(EXCHANGE_PROTOCOL, { maxOutboundStreams: 16 }).catch(() => undefined)
        for (let sent = 0; sent < 200; sent++) {
          if (stream?.status !== 'open') return
          stream.send(Uint8Array.of(0))
          await turn()
        }
      })
      await Promise.allSettled(drips)
    })
  })

  const entry = (n: number): Uint8Array => field(1, field(1, rawCid(new Uint8Array(32).fill(n % 256, 0, 31).fill(n >> 8, 8, 31)).bytes))
  it('bears a bitswap message of a million wants, and many full ones', async () => {
    const wants = Buffer.concat(Array.from({ length: WANTS / 16 }, (_, n) => entry(n)))
    const whole = field(1, Buffer.concat(Array.from({ length: 16 }, () => wants)))
    const full = field(1, wants.subarray(0, entry(0).byteLength * Math.floor(MIB / entry(0).byteLength)))
    await intrude()
    await withstands(async () => {
      await pour(BITSWAP, slices(prefixed(whole)))
      for (let round = 0; round < 10; round++) await pour(BITSWAP, slices(prefixed(full)))
      await pour(BITSWAP, [new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f]), new Uint8Array(MIB)])
    })
  })

  it('bears a flood of gossip topics', async () => {
    const topics = (from: number, count: number): Uint8Array =>
      prefixed(
        Buffer.concat(
          Array.from({ length: count }, (_, n) =>
            field(1, Buffer.concat([Buffer.from([0x08, 0x01]), field(2, Buffer.from(`t${from + n}`))]))
          )
        )
      )
    await intrude()
    await withstands(async () => {
      await pour(MESHSUB, slices(topics(0, 300_000)))
      await pour(
        MESHSUB,
        (function* () {
          for (let frame = 0; frame < 100; frame++) yield topics(frame * 1000, 1000)
        })()
      )
    })
  })

  it('bears what is no protobuf on every protocol it speaks', async () => {
    const junk = patterned(100_000)
    const identified = new Promise<{ readonly protocols: readonly string[] }>(resolve => {
      attacker.addEventListener('peer:identify', ({ detail }) => resolve(detail), { once: true })
    })
    await intrude()
    await withstands(async () => {
      const { protocols } = await identified
      assert.ok(protocols.includes(BITSWAP) && protocols.includes(EXCHANGE_PROTOCOL) && protocols.length >= 6, protocols.join())
      for (const protocol of protocols)
        for (const bytes of [junk, prefixed(junk), new Uint8Array(0), prefixed(new Uint8Array(0))])
          await pour(protocol, [bytes]).catch(() => {})
    })
  })

  it('bears 1,000 connections that say nothing', async () => {
    const [, , , , port = '0'] = daemon.address.split('/')
    const sockets: Socket[] = []
    await withstands(async () => {
      const opening = Array.from({ length: HALF_OPEN }, async () => {
        const socket = connectSocket(Number(port), '127.0.0.1')
        sockets.push(socket)
        await new Promise<void>(resolve => {
          for (const event of ['connect', 'error', 'close']) socket.once(event, () => resolve())
        })
      })
      await Promise.all(opening)
    })
    for (const socket of sockets) socket.destroy()
  })

  it('bears a peer that connects and leaves, again and again', async () => {
    await withstands(async () => {
      for (let round = 0; round < CHURN; round++) {
        const dialled = await attacker.dial(multiaddr(daemon.address), { force: true }).catch(() => undefined)
        await dialled?.close().catch(() => {})
      }
    })
  })
})

function* slices(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024)
}
