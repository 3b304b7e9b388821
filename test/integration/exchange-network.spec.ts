/** The main host in the networks there are: IPv6, names that move, announced addresses, a second host with its key. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { makeHost, startHost, type Host, type HostInit } from '../../src/adapters/libp2p/host.ts'
import type { NameService } from '../../src/adapters/libp2p/make-libp2p.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { silentLog } from '../support/silent-log.ts'
import { settle, VirtualClock } from '../support/virtual-clock.ts'
import { addressOf, LOOPBACK, startTestHost } from './exchange-support.ts'
import { isHeard } from './raw-gossip.ts'

/** The record type of `_dnsaddr` names. */
const TXT = 16

/** Names and what they lead to now; questions are counted. */
class Names implements NameService {
  readonly answers = new Map<string, string[]>()
  readonly asked: string[] = []

  async query(name: string): ReturnType<NameService['query']> {
    this.asked.push(name)
    const Answer = (this.answers.get(name) ?? []).map(data => ({ name, type: TXT, TTL: 0, data: `dnsaddr=${data}` }))
    return JSON.parse(JSON.stringify({ Status: 0, Question: [], Answer }))
  }
}

async function hasIpv6(): Promise<boolean> {
  return await new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '::1', port: 0 }, () => server.close(() => resolve(true)))
  })
}

describe('the main host in other networks', () => {
  const hosts: Host[] = []
  const start = async (init: Partial<HostInit>, clock: Clock = systemClock): Promise<Host> => {
    const host = await startTestHost(init, clock)
    hosts.push(host)
    return host
  }
  const meeting = async (host: Host): Promise<string> =>
    await new Promise(resolve => {
      host.on({ connected: resolve })
    })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })

  it('listens and dials on IPv6', async function () {
    if (!(await hasIpv6())) return this.skip()
    const [a, b] = [await start({ listen: ['/ip6/::1/tcp/0'] }), await start({ listen: ['/ip6/::1/tcp/0', '/ip4/127.0.0.1/tcp/0'] })]
    assert.match(addressOf(a), /^\/ip6\/::1\/tcp\/\d+\/p2p\//)
    assert.deepEqual(
      b
        .addresses()
        .map(address => address.split('/')[1])
        .toSorted((one = '', other = '') => one.localeCompare(other)),
      ['ip4', 'ip6']
    )
    assert.equal(await b.connect(addressOf(a)), a.self)
    assert.match(a.peers()[0]?.addresses[0] ?? '', /^\/ip6\/::1\//)
  })

  it('resolves a name anew at each try: a peer that moved is found again', async () => {
    const names = new Names()
    const privateKey = await generateKeyPair('Ed25519')
    const peer = peerIdFromPrivateKey(privateKey).toString()
    const clock = new VirtualClock()
    names.answers.set('_dnsaddr.home.example', [`/ip4/127.0.0.1/tcp/1/p2p/${peer}`])
    const a = await start({ dns: names, peering: [`/dnsaddr/home.example/p2p/${peer}`] }, clock)
    while (names.asked.length < 1) await settle()
    const there = await startHost({ log: silentLog, clock: systemClock, privateKey }, LOOPBACK)
    hosts.push(there)
    const met = meeting(a)
    names.answers.set('_dnsaddr.home.example', there.addresses())
    const asked = names.asked.length
    // Up to the next try and no further: the time a dial may take passes by this clock too.
    while (names.asked.length === asked) await clock.advance(1_000)
    assert.equal(await met, peer)
    assert.ok(names.asked.length >= 2)
  })

  it('dials a host by its DNS name', async () => {
    const [a, b] = [await start({}), await start({})]
    const port = addressOf(b).split('/')[4] ?? ''
    assert.equal(await a.connect(`/dns4/localhost/tcp/${port}/p2p/${b.self}`), b.self)
  })

  it('tells others the announced addresses in place of those it listens on', async () => {
    const [a, b] = [await start({ announce: ['/dns4/node.example/tcp/4331'] }), await start({})]
    assert.deepEqual(a.addresses(), [`/dns4/node.example/tcp/4331/p2p/${a.self}`])
    assert.match(a.listening()[0] ?? '', /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
    await b.connect(`${a.listening()[0]}/p2p/${a.self}`)
    const known = await b.libp2p.peerStore.get(a.libp2p.peerId)
    assert.ok(known.addresses.some(({ multiaddr }) => multiaddr.toString() === '/dns4/node.example/tcp/4331'))
  })

  it('has no early peer refused: what is registered before it listens is there from the first connection on', async () => {
    const late = await makeHost({ log: silentLog, clock: systemClock, privateKey: await generateKeyPair('Ed25519') }, LOOPBACK)
    hosts.push(late)
    assert.deepEqual(late.listening(), [])
    await late.handle('/test/1', async stream => {
      await stream.write([new Uint8Array([1])])
      await stream.close()
    })
    const heard = Promise.withResolvers<string>()
    late.subscribe(
      'kith/adverts/1',
      async () => 'accept',
      message => heard.resolve(message.from)
    )
    await late.start()
    await late.start()
    const early = await start({})
    early.subscribe(
      'kith/adverts/1',
      async () => 'accept',
      () => {}
    )
    await early.connect(addressOf(late))
    const stream = await early.open(late.self, '/test/1')
    assert.deepEqual(await stream.read(), new Uint8Array([1]))
    await isHeard(early, late.self, 'kith/adverts/1')
    await early.publish('kith/adverts/1', new Uint8Array([7]))
    assert.equal(await heard.promise, early.self)
  })

  it('notices a second host with its key, and talks to itself without alarm', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const dialled = Promise.withResolvers<void>()
    const ours = await startHost({ log: silentLog, clock: systemClock, privateKey }, { ...LOOPBACK, onDuplicateIdentity: dialled.resolve })
    hosts.push(ours)
    let seen = 0
    const twin = await startHost({ log: silentLog, clock: systemClock, privateKey }, { ...LOOPBACK, onDuplicateIdentity: () => seen++ })
    hosts.push(twin)
    await assert.rejects(twin.connect(ours.listening()[0] ?? ''), { code: 'INVALID_PARAMS', message: /second node/ })
    assert.equal(seen, 1)
    await dialled.promise
    assert.deepEqual(ours.peers(), [], 'the side that is dialled learns it, and talks no more')
    let alarms = 0
    const alone = await start({ onDuplicateIdentity: () => alarms++ })
    await assert.rejects(alone.connect(alone.listening()[0] ?? ''), { code: 'INVALID_PARAMS' })
    assert.equal(alarms, 0)
  })

  it('refuses peers whose key is not Ed25519, whichever side dials', async () => {
    const host = await start({})
    const stranger = await startHost({ log: silentLog, clock: systemClock, privateKey: await generateKeyPair('secp256k1') }, LOOPBACK)
    hosts.push(stranger)
    await assert.rejects(host.connect(stranger.listening()[0] ?? ''), { code: 'UNAVAILABLE' })
    await assert.rejects(stranger.connect(addressOf(host)), { code: 'UNAVAILABLE' })
    assert.deepEqual(host.peers(), [])
    // Some of the well-known bootstrap peers have old keys: whoever writes the id down means it, and nobody else hears of it.
    let told = 0
    host.on({ connected: () => told++ })
    assert.equal(await host.connect(addressOf(stranger)), stranger.self)
    assert.deepEqual([host.isConnected(stranger.self), host.peers(), told], [true, [], 0])
  })
})
