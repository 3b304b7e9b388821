/** What published advisories on libp2p and gossipsub told of, tried against our own hosts. */
import assert from 'node:assert/strict'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { noise } from '@chainsafe/libp2p-noise'
import type { PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { startHost, type Host } from '../../src/adapters/libp2p/host.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { Validity } from '../../src/ports/network.ts'
import { Friends } from '../support/friends.ts'
import { silentLog } from '../support/silent-log.ts'
import { VirtualClock } from '../support/virtual-clock.ts'
import { until } from '../support/until.ts'
import { addressOf, LOOPBACK, startTestHost } from './exchange-support.ts'
import { message, prune, speak, subscription } from './raw-gossip.ts'

const TOPIC = 'kith/updates/1'

interface Pubsub {
  readonly topics: Map<string, Set<string>>
  readonly backoff: Map<string, Map<string, number>>
  getScore(peer: string): number
  getMeshPeers(topic: string): string[]
  getSubscribers(topic: string): unknown[]
}

function pubsubOf(host: Host): Pubsub {
  return (host.libp2p.services as { pubsub: Pubsub }).pubsub
}

describe('advisories', function () {
  // Floods are work, and the attacker shares this process.
  this.timeout(120_000)
  const hosts: Host[] = []
  let victim: Host
  let attacker: Host
  let key: PrivateKey
  let friends: Friends
  /** What the victim accepted, as text. */
  let got: string[]
  let judge: (text: string) => Validity
  let onGot: () => void

  beforeEach(async () => {
    key = await generateKeyPair('Ed25519')
    // What a source may send grows with time: on a slow machine a flood would be none.
    victim = await startTestHost({}, new VirtualClock())
    attacker = await startHost({ log: silentLog, clock: systemClock, privateKey: key }, { ...LOOPBACK, listen: [] })
    hosts.push(victim, attacker)
    friends = new Friends()
    victim.follow(friends)
    got = []
    judge = () => 'accept'
    onGot = () => {}
    victim.subscribe(
      TOPIC,
      async ({ data }) => judge(Buffer.from(data).toString()),
      ({ data }) => {
        got.push(Buffer.from(data).toString())
        onGot()
      }
    )
    await attacker.connect(addressOf(victim))
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })

  const frame = async (text: string, seqno: number, more: object = {}): Promise<Uint8Array> =>
    await message(key, { topic: TOPIC, data: Buffer.from(text), seqno, ...more })
  /** Everything sent before it was dealt with when this arrives. */
  const arrived = async (text: string): Promise<void> => {
    await until(() => got.includes(text))
  }

  it('CVE-2026-46679: a flood of topics is not remembered, be they of apps or of nobody', async () => {
    const topics = Array.from({ length: 20_000 }, (_, n) => (n % 2 === 0 ? `flood/${n}` : `kith/app/flood ${n}`))
    const frames = topics.map(subscription)
    await speak(attacker, victim.self, [...frames, await frame('end', 1)])
    await arrived('end')
    const known = pubsubOf(victim).topics
    assert.ok(
      [...known.keys()].every(topic => topic === TOPIC),
      [...known.keys()].slice(0, 5).join()
    )
    victim.topics.join('flood 1', () => {})
    victim.topics.join('flood 19999', () => {})
    assert.deepEqual(
      [pubsubOf(victim).getSubscribers('kith/app/flood 1').length, pubsubOf(victim).getSubscribers('kith/app/flood 19999').length],
      [1, 0]
    )
  })

  it('CVE-2026-33040: a pause of 2^64−1 or 2^53−1 seconds neither crashes nor freezes, and is not kept for ever', async () => {
    const largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
    const safe = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    await speak(attacker, victim.self, [prune(TOPIC, largest), prune(TOPIC, safe), await frame('end', 1)])
    await arrived('end')
    await until(() => pubsubOf(victim).backoff.get(TOPIC)?.has(attacker.self) === true)
    const expires = pubsubOf(victim).backoff.get(TOPIC)?.get(attacker.self) ?? 0
    assert.ok(expires < Date.now() + 11 * 60_000, new Date(expires).toISOString())
  })

  it('a message whose key is not that of its author is not taken, nor one in the name of another', async () => {
    const other = await generateKeyPair('Ed25519')
    const from = other.publicKey.toMultihash().bytes
    await speak(attacker, victim.self, [await frame('forged', 1, { from, key: publicKeyToProtobuf(key.publicKey) }), await frame('end', 2)])
    await until(() => pubsubOf(victim).getScore(attacker.self) < -10)
    assert.ok(!got.includes('forged'))
  })

  it('CVE-2023-39533: a message with an RSA key is not even checked', async () => {
    const rsa = await generateKeyPair('RSA', 2048)
    const slow = await message(rsa, { topic: TOPIC, data: Buffer.from('rsa'), key: publicKeyToProtobuf(rsa.publicKey) })
    await speak(attacker, victim.self, [slow, await frame('end', 2)])
    await arrived('end')
    assert.deepEqual(got, ['end'])
    assert.ok(pubsubOf(victim).getScore(attacker.self) >= 0)
  })

  it('CVE-2023-39533: a peer with an RSA key is not let in', async () => {
    const stranger = await createLibp2p({
      privateKey: await generateKeyPair('RSA', 2048),
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()]
    })
    try {
      await assert.rejects(async () => {
        const connection = await stranger.dial(multiaddr(addressOf(victim)))
        await connection.newStream('/ipfs/ping/1.0.0', { signal: AbortSignal.timeout(10_000) })
      })
      assert.ok(!victim.isConnected(stranger.peerId.toString()))
    } finally {
      await stranger.stop()
    }
  })

  it('CVE-2026-45783: nothing can be stored through the DHT: its protocol is not served', async () => {
    await assert.rejects(attacker.open(victim.self, '/ipfs/kad/1.0.0'), { code: 'UNAVAILABLE' })
  })

  it('two messages that are rejected, and nothing more is heard of who sent them', async () => {
    judge = text => (text.startsWith('bad') ? 'reject' : 'accept')
    await speak(attacker, victim.self, [await frame('good', 1), await frame('bad 1', 2), await frame('bad 2', 3)])
    await until(() => pubsubOf(victim).getScore(attacker.self) < -80)
    const honest = await startTestHost({ listen: [] })
    hosts.push(honest)
    await honest.connect(addressOf(victim))
    await speak(attacker, victim.self, [await frame('late', 4)])
    await attacker.ping(victim.self)
    const signer = await generateKeyPair('Ed25519')
    await speak(honest, victim.self, [await message(signer, { topic: TOPIC, data: Buffer.from('end') })])
    await arrived('end')
    assert.deepEqual(got, ['good', 'end'])
  })

  it('what is ignored costs nobody, however often', async () => {
    judge = text => (text.startsWith('stale') ? 'ignore' : 'accept')
    const frames = await Promise.all(Array.from({ length: 40 }, async (_, n) => await frame(`stale ${n}`, n + 1)))
    await speak(attacker, victim.self, [...frames, await frame('end', 100)])
    await arrived('end')
    assert.ok(pubsubOf(victim).getScore(attacker.self) >= 0)
  })

  it('who is shunned is not heard, whatever it had earned, and is not let in again', async () => {
    friends.shunned.add(attacker.self)
    await until(() => pubsubOf(victim).getScore(attacker.self) < -80)
    await speak(attacker, victim.self, [await frame('shunned', 1)])
    await attacker.ping(victim.self)
    await attacker.disconnect(victim.self)
    await until(() => !victim.isConnected(attacker.self))
    await assert.rejects(attacker.connect(addressOf(victim)), { code: 'UNAVAILABLE' })
    assert.deepEqual(got, [])
  })

  it('a flood of messages ends at the rate of one source, before a signature is checked, and is reported once', async () => {
    const big = Buffer.alloc(200_000)
    const frames = async (from: number): Promise<Uint8Array[]> =>
      await Promise.all(
        Array.from(
          { length: 40 },
          async (_, n) => await message(key, { topic: TOPIC, data: Buffer.concat([big, Buffer.from(`${from + n}`)]), seqno: from + n })
        )
      )
    let seen = 0
    judge = () => {
      seen++
      return 'ignore'
    }
    for (let round = 0; round < 5; round++) await speak(attacker, victim.self, await frames(round * 40 + 1))
    await until(() => friends.reports.length > 0)
    await attacker.ping(victim.self)
    assert.deepEqual(friends.reports, [`flood ${attacker.self}`])
    assert.ok(seen < 200, `${seen} of 200 were looked at`)
  })

  it('CVE-2022-47547: members that pass nothing on keep nobody from hearing', async () => {
    const publisher = await startTestHost()
    const silent = await Promise.all(Array.from({ length: 8 }, async () => await startTestHost({ listen: [] })))
    hosts.push(publisher, ...silent)
    for (const host of [publisher, ...silent])
      host.subscribe(
        TOPIC,
        async () => 'ignore',
        () => {}
      )
    // One after another: a handshake has ten seconds, and all of them share this process.
    for (const host of silent) for (const other of [publisher, victim]) await host.connect(addressOf(other))
    await until(() => pubsubOf(victim).getMeshPeers(TOPIC).length >= 4 && pubsubOf(publisher).getMeshPeers(TOPIC).length >= 4)
    await victim.connect(addressOf(publisher))
    await publisher.publish(TOPIC, Buffer.from('through'))
    await arrived('through')
  })
})
