/** Peers whose adverts and news are wrong in every way, against a real daemon: nothing of it is kept, and it goes on. */
import assert from 'node:assert/strict'
import { encode } from 'cborg'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { startHost, type Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { encodeAdvert, filterDigest } from '../../src/adverts/codec.ts'
import { signUpdate } from '../../src/adverts/update.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { didFromPublicKey } from '../../src/peers/did-key.ts'
import { signJwt } from '../../src/peers/jwt.ts'
import type { Identity } from '../../src/ports/identity.ts'
import { silentLog } from '../support/silent-log.ts'
import { advertOf, digest, type AdvertOptions } from '../unit/adverts/support.ts'
import { unharmed } from './bad-input-support.ts'
import { MIB, nextEvent } from './daemon-support.ts'
import { addressOf, LOOPBACK, MemoryContent } from './exchange-support.ts'
import { isHeard } from './raw-gossip.ts'

interface Peer extends AsyncDisposable {
  readonly host: Host
  readonly node: Identity
  readonly content: MemoryContent
}

/** A peer with its key in our hand: it publishes and answers whatever a test gives it. */
async function startPeer(): Promise<Peer> {
  const privateKey = await generateKeyPair('Ed25519')
  const host = await startHost({ log: silentLog, clock: systemClock, privateKey }, LOOPBACK)
  const content = new MemoryContent()
  const server = new ExchangeServer({ network: host, clock: systemClock, log: silentLog, policy: content })
  await server.start()
  host.subscribe(
    'kith/adverts/1',
    async () => 'ignore',
    () => {}
  )
  host.subscribe(
    'kith/updates/1',
    async () => 'ignore',
    () => {}
  )
  const node = {
    peerId: host.self,
    did: didFromPublicKey(privateKey.publicKey.raw),
    sign: async (bytes: Uint8Array) => await privateKey.sign(bytes)
  }
  return {
    host,
    node,
    content,
    [Symbol.asyncDispose]: async () => {
      server.stop()
      await host.stop()
    }
  }
}

/** A filter with bits, hashes and count as given, all bits of `fill`. */
function craftedFilter(bits: number, hashes: number, count: number, fill: number): Uint8Array {
  const encoded = new Uint8Array(18 + Math.ceil(bits / 8)).fill(fill, 18)
  const view = new DataView(encoded.buffer)
  encoded[0] = 1
  encoded[1] = hashes
  view.setUint32(2, bits, true)
  view.setUint32(6, count, true)
  return encoded
}

describe('a daemon that hears bad adverts', () => {
  let daemon: DaemonProcess
  let honest: Peer
  before(async () => {
    daemon = await DaemonProcess.start()
    honest = await startPeer()
    honest.content.currentAdvert = (await advertOf(honest.node, systemClock)).message
    await connect(honest)
    await nextEvent(daemon, 'advert.received', ({ peerId }) => peerId === honest.node.peerId)
  })
  after(async () => {
    await honest?.[Symbol.asyncDispose]()
    await daemon?.[Symbol.asyncDispose]()
  })

  /** The daemon hears from then on what the peer publishes. */
  async function connect({ host }: Peer): Promise<void> {
    await daemon.client.call('peers.connect', { address: addressOf(host) })
    for (const topic of ['kith/adverts/1', 'kith/updates/1']) await isHeard(host, daemon.ready.peerId, topic)
  }

  async function withFilter(node: Identity, filter: Uint8Array, options: AdvertOptions = {}): Promise<Uint8Array> {
    const index = { digest: filterDigest(filter), bytes: filter.byteLength, ...options.index }
    const { jwt } = await advertOf(node, systemClock, { ...options, index })
    return encodeAdvert({ jwt, filter })
  }
  const seconds = (): number => Math.floor(Date.now() / 1000)
  const stock = { _size: 1000, _nbHashes: 10_000_000, _filter: { size: 1000, content: '' }, type: 'BloomFilter', _seed: 78187493520 }

  const bad: [what: string, make: (node: Identity) => Promise<Uint8Array>][] = [
    ['is signed by nobody', async node => encodeAdvert({ jwt: `${(await advertOf(node, systemClock)).jwt.slice(0, -4)}AAAA` })],
    ['is that of another peer', async () => honest.content.currentAdvert ?? new Uint8Array()],
    [
      'has expired',
      async node => (await advertOf(node, systemClock, { claims: { iat: seconds() - 4000, exp: seconds() - 3600 } })).message
    ],
    [
      'is of the future',
      async node => (await advertOf(node, systemClock, { claims: { iat: seconds() + 3600, exp: seconds() + 4000 } })).message
    ],
    ['has three megabytes', async () => new Uint8Array(2 * MIB + 60_000).fill(0x41)],
    ['has all bits set', async node => await withFilter(node, craftedFilter(8000, 8, 10, 0xff))],
    ['has half its bits set at random, and says it holds ten', async node => await withFilter(node, craftedFilter(8000, 8, 10, 0x55))],
    [
      'says it has four thousand million bits',
      async node => {
        const filter = craftedFilter(8000, 8, 10, 0)
        filter.fill(0xff, 2, 6)
        return await withFilter(node, filter)
      }
    ],
    ['wants 255 hashes a look-up', async node => await withFilter(node, craftedFilter(8000, 255, 10, 0))],
    [
      'holds a filter as the package writes it, with ten million hashes',
      async node => await withFilter(node, new TextEncoder().encode(JSON.stringify(stock)))
    ],
    ['holds such a filter in CBOR', async node => encode({ jwt: (await advertOf(node, systemClock)).jwt, filter: stock })]
  ]
  for (const [what, make] of bad) {
    it(`takes nothing of one that ${what}, asked for or gossiped`, async () => {
      await using liar = await startPeer()
      await unharmed(daemon, async () => {
        liar.content.currentAdvert = await make(liar.node)
        await connect(liar)
        await liar.host.publish('kith/adverts/1', liar.content.currentAdvert.subarray(0, 200_000))
        // What came before this has been judged when this was.
        const marker = await advertOf(honest.node, systemClock)
        await honest.host.publish('kith/adverts/1', marker.message)
        await nextEvent(daemon, 'advert.received', ({ advertSeq }) => advertSeq === marker.seq)
      })
      const { items } = await daemon.client.call('adverts.list', {})
      assert.deepEqual(
        items.map(({ peerId }) => peerId),
        [honest.node.peerId]
      )
    })
  }

  it('charges who signs two adverts with one number, and keeps the first', async () => {
    await using liar = await startPeer()
    const seq = Date.now()
    liar.content.currentAdvert = (await advertOf(liar.node, systemClock, { seq })).message
    await connect(liar)
    await nextEvent(daemon, 'advert.received', ({ peerId }) => peerId === liar.node.peerId)
    await unharmed(daemon, async () => {
      await liar.host.publish('kith/adverts/1', (await advertOf(liar.node, systemClock, { seq, count: 99 })).message)
      await charged(liar.node.did, 'equivocation')
    })
  })

  it('charges who signs news that are wrong, and tells its apps of none', async () => {
    await using liar = await startPeer()
    await connect(liar)
    await unharmed(daemon, async () => {
      const iat = seconds()
      const claims = {
        type: 'new-content',
        cid: '../../etc/passwd',
        size: 5,
        did: liar.node.did,
        aud: 'kith/updates/1',
        iat,
        exp: iat + 60
      }
      await liar.host.publish('kith/updates/1', new TextEncoder().encode(await signJwt(claims, liar.node)))
      await charged(liar.node.did, 'bad-advert')
    })
    const content = { cid: rawCid(digest(1)), size: 10 }
    await honest.host.publish('kith/updates/1', new TextEncoder().encode(await signUpdate(content, honest.node, Date.now())))
    const event = await nextEvent(daemon, 'content.available')
    assert.deepEqual([event['did'], event['cid']], [honest.node.did, content.cid.toString()])
    assert.deepEqual(await daemon.client.call('content.has', { content: content.cid.toString() }), { local: false })
  })

  /** Waits until the operator would see it. */
  async function charged(did: string, offence: string): Promise<void> {
    const late = AbortSignal.timeout(50_000)
    for (;;) {
      late.throwIfAborted()
      const { offences } = await daemon.client.call('trust.get', { did })
      if ((offences?.[offence] ?? 0) > 0) return
    }
  }
})
