/** Peers that lie about what they have or what they send, against a real daemon with honest peers beside them. */
import assert from 'node:assert/strict'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { KithPeer } from '../../scripts/lib/kith-peer.ts'
import { FILTER_HEADER_BYTES } from '../../src/adverts/filter.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import type { PeerInfo } from '../../src/rpc/services.ts'
import { unharmed } from './bad-input-support.ts'
import { rejection } from './daemon-support.ts'
import { patterned } from './exchange-support.ts'

const CONTENT_BYTES = 2_000
/** Of the fetches of a node whose peers are honest in their majority. */
const KEPT_SHARE_MIN = 0.95
const contents = (count: number, from = 0): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => patterned(CONTENT_BYTES + 4 * (from + index)))

describe('a daemon with liars among its peers', function () {
  this.timeout(90_000)
  let daemon: DaemonProcess
  const peers: KithPeer[] = []
  beforeEach(async () => {
    daemon = await DaemonProcess.start()
  })
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    await Promise.all(peers.splice(0).map(async peer => await peer[Symbol.asyncDispose]()))
  })

  /** A peer that has all of these, and says so. */
  async function startHonest(held: readonly Uint8Array[]): Promise<KithPeer> {
    const peer = await startPeer()
    for (const bytes of held) peer.hold(bytes)
    await peer.advertise()
    return peer
  }

  async function startPeer(): Promise<KithPeer> {
    const peer = await KithPeer.start()
    peers.push(peer)
    return peer
  }

  /** @param level - which the operator gives it; absent: a stranger */
  async function connect(peer: KithPeer, level?: number): Promise<void> {
    await daemon.client.call('peers.connect', { address: peer.address })
    if (level !== undefined) await daemon.client.call('trust.set', { did: peer.did, level })
  }

  /** @returns who delivered */
  async function get(bytes: Uint8Array): Promise<string | undefined> {
    const { data, source } = await daemon.client.call('content.get', { content: `ipfs://${rawCid(sha256(bytes)).toString()}`, ttl: 20 })
    assert.deepEqual(Buffer.from(data ?? '', 'base64'), Buffer.from(bytes))
    return source.peer
  }

  async function advertOf(peer: KithPeer): Promise<number | undefined> {
    const { items } = await daemon.client.call('adverts.list', {})
    return items.find(({ peerId }) => peerId === peer.peerId)?.count
  }

  async function listed(): Promise<PeerInfo[]> {
    return (await daemon.client.call('peers.list', {})).items
  }

  it('does not believe a filter of nothing but ones', async () => {
    const held = contents(3)
    const [liar, honest] = [await startPeer(), await startHonest(held)]
    const bits = new Uint8Array(FILTER_HEADER_BYTES + 1024).fill(0xff)
    bits.set([1, 10], 0)
    new DataView(bits.buffer).setUint32(2, 8 * 1024, true)
    await liar.advertiseFilter(bits, { count: 1_000_000, truncated: false })
    await connect(liar)
    await connect(honest)
    await unharmed(daemon, async () => {
      for (const bytes of held) assert.equal(await get(bytes), honest.peerId)
    })
    assert.equal(await advertOf(liar), undefined)
  })

  it('finds out a peer that claims everything and has nothing, and asks it no more', async () => {
    const [held, nobodys] = [contents(60), contents(63).slice(60)]
    const [liar, honest] = [await startPeer(), await startHonest(held)]
    for (const bytes of [...held, ...nobodys]) liar.claim(rawCid(sha256(bytes)))
    await liar.advertise()
    await connect(liar)
    await connect(honest)
    await unharmed(daemon, async () => {
      for (const bytes of held.slice(0, 50)) assert.equal(await get(bytes), honest.peerId)
    })
    // Nobody else has these, so that it is asked.
    for (const bytes of nobodys) assert.equal((await rejection(get(bytes))).code, 'NOT_FOUND')
    const items = await listed()
    const found = items.at(-1)
    assert.equal(found?.peerId, liar.peerId, 'it stands last')
    assert.match(found.note ?? '', /says it has what it has not: 0 of \d+ claims/)
    assert.equal(found.advert?.precision, 0, 'what its yes is worth is shown')
    assert.ok((found.ledger['asked'] ?? 0) < 10, `it was asked ${found.ledger['asked']} times in fifty`)
    const before = liar.reads
    for (const bytes of held.slice(50)) assert.equal(await get(bytes), honest.peerId)
    assert.ok(liar.reads - before <= 2, `it was asked ${liar.reads - before} times in ten`)
  })

  it('leaves a trusted peer at its first wrong block, and says why', async () => {
    const held = contents(40)
    const [good, only = new Uint8Array(), ...later] = [held.slice(0, 10), ...held.slice(10)]
    const [liar, honest] = [await startHonest(held), await startHonest([...good, ...later])]
    await connect(liar, 100)
    await connect(honest, 50)
    for (const bytes of good) await get(bytes)
    liar.isCorrupt = true
    // Nobody else has it, so that the liar is asked.
    await unharmed(daemon, async () => await get(only), { code: ['INTEGRITY', 'NOT_FOUND', 'TIMEOUT'] })
    honest.hold(only)
    await unharmed(daemon, async () => assert.equal(await get(only), honest.peerId))
    const trust = await daemon.client.call('trust.get', { did: liar.did })
    assert.equal(trust.access, 0, 'what it was given does not hold while it is suspended')
    assert.equal(trust.level, 100)
    const last = (await listed()).at(-1)
    assert.equal(last?.peerId, liar.peerId)
    assert.match(last.note ?? '', /suspended until .*wrong bytes/)
    const before = liar.reads
    for (const bytes of later) assert.equal(await get(bytes), honest.peerId)
    assert.equal(liar.reads, before, 'it is asked nothing')
  })

  it('keeps its fetches when three of ten peers lie, and shows the liars last with the reason', async () => {
    const held = contents(100)
    const liars = { corrupt: await startHonest(held), silent: await startHonest(held), empty: await startPeer() }
    liars.corrupt.isCorrupt = true
    liars.silent.isSilent = true
    for (const bytes of held) liars.empty.claim(rawCid(sha256(bytes)))
    await liars.empty.advertise()
    // Each content is at three of the seven.
    const honest = await Promise.all(
      Array.from({ length: 7 }, async (_, at) => await startHonest(held.filter((_bytes, index) => (index + at) % 7 < 3)))
    )
    for (const peer of [...Object.values(liars), ...honest]) await connect(peer, 60)
    const kept = await unharmed(daemon, async () => {
      const got = await Promise.allSettled(held.map(async (bytes, index) => (index % 2 === 0 ? await get(bytes) : undefined)))
      for (const [index, bytes] of held.entries()) if (index % 2 === 1) got.push(...(await Promise.allSettled([get(bytes)])))
      return got.filter(({ status }) => status === 'fulfilled').length - held.length / 2
    })
    assert.ok(kept >= KEPT_SHARE_MIN * held.length, `${kept} of ${held.length} fetches were kept`)
    const order = (await listed()).map(({ peerId }) => peerId)
    assert.equal(order.at(-1), liars.corrupt.peerId)
    assert.match((await listed()).at(-1)?.note ?? '', /wrong bytes/)
  })
})
