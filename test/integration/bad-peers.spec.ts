/** Peers that lie and stall, against a real daemon: the next source delivers, and nothing wrong is stored. */
import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { decodeRequest, encodeEnd, encodeHave, encodeHead } from '../../src/exchange/codec.ts'
import { frameParts, FrameReader, indexedParts } from '../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL, FRAME } from '../../src/exchange/protocol.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { PeerStream } from '../../src/ports/network.ts'
import { unharmed } from './bad-input-support.ts'
import { MIB, startWitness } from './daemon-support.ts'
import { addressOf, patterned, startTestHost } from './exchange-support.ts'

function patternedBlock(n: number): { bytes: Uint8Array; cid: CID } {
  const bytes = patterned(1000 + n)
  return { bytes, cid: rawCid(sha256(bytes)) }
}

async function turn(): Promise<void> {
  await new Promise<void>(resolve => {
    setImmediate(resolve)
  })
}

describe('a daemon that is lied to', () => {
  let daemon: DaemonProcess
  const hosts: Host[] = []
  before(async () => {
    daemon = await DaemonProcess.start()
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })

  type Answer = (stream: PeerStream, cid: CID) => Promise<void>
  const end = frameParts(FRAME.END, encodeEnd({ status: 'ok' }))
  const headOf = (cid: CID): Uint8Array[] => frameParts(FRAME.HEAD, encodeHead({ cid }))

  /** A peer that claims to have everything and answers a request for content in its own way. */
  async function startLiar(cid: CID, answer: Answer): Promise<void> {
    const host = await startTestHost()
    hosts.push(host)
    await host.handle(EXCHANGE_PROTOCOL, async stream => {
      const frames = new FrameReader(() => MIB)
      for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
        frames.push(chunk)
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          const ask = decodeRequest(frame.payload)
          if (ask.kind === 'have')
            await stream.write([...frameParts(FRAME.HAVE, encodeHave(ask.multihashes.map(() => ({ have: true })))), ...end])
          else if (ask.kind === 'dag') await answer(stream, cid)
          else await stream.write(frameParts(FRAME.END, encodeEnd({ status: 'not-found' })))
        }
      }
    })
    await daemon.client.call('peers.connect', { address: addressOf(host) })
  }

  const lies: [string, Answer][] = [
    [
      'answers with the wrong block',
      async (stream, cid) => await stream.write([...headOf(cid), ...indexedParts(FRAME.LEAF, 0, new Uint8Array(1000)), ...end])
    ],
    ['stalls after its first words', async (stream, cid) => await stream.write(headOf(cid))],
    ['sends a frame of 2³¹ bytes', async stream => await stream.write([new Uint8Array([0x80, 0, 0, 0, FRAME.LEAF]), new Uint8Array(MIB)])],
    [
      'drips a byte at a time',
      async (stream, cid) => {
        for (const byte of Buffer.concat(headOf(cid))) {
          await stream.write([Uint8Array.of(byte)])
          await turn()
        }
      }
    ],
    ['sends what is no protocol at all', async stream => await stream.write([new Uint8Array(100_000).fill(0xff)])],
    ['hangs up', async stream => stream.abort(new Error('no'))]
  ]
  for (const [index, [name, answer]] of lies.entries()) {
    it(`turns to the next source when a peer ${name}`, async () => {
      const { bytes, cid } = patternedBlock(index)
      await startLiar(cid, answer)
      const content = cid.toString()
      await unharmed(daemon, async () => await daemon.client.call('content.get', { content, ttl: 2 }), {
        code: ['NOT_FOUND', 'TIMEOUT', 'INTEGRITY']
      })
      const honest = await startWitness()
      await honest.content.addFile(bytes)
      await daemon.client.call('peers.connect', { address: addressOf(honest.host) })
      const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content, ttl: 50 }))
      assert.deepEqual(Buffer.from(got.data ?? '', 'base64'), Buffer.from(bytes))
      assert.equal(got.source.peer, honest.host.self)
      await honest[Symbol.asyncDispose]()
    })
  }
})
