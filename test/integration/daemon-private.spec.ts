/** What is private leaves a daemon by no way: not the bytes, and not the question either. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { toString } from 'uint8arrays'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { AdvertDirectory } from '../../src/adverts/directory.ts'
import { memoryState } from '../../src/adapters/memory/memory-state.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { ExchangeClient } from '../../src/exchange/client.ts'
import { EventBus } from '../../src/observe/events.ts'
import { STRANGERS } from '../../src/peers/strangers.ts'
import { UNMEASURED } from '../../src/ranking/unmeasured.ts'
import { startHeliaNode, type HeliaNode } from '../support/helia-node.ts'
import { silentLog } from '../support/silent-log.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { addressOf, clientOf, Collector, dagRequest, patterned } from './exchange-support.ts'
import {
  base64,
  gossipFlows,
  MIB,
  nextEvent,
  PEERS_ALONE,
  rejection,
  sha256Hex,
  startWitness,
  until,
  type Witness
} from './daemon-support.ts'

/** What is not answered by then hangs. Milliseconds. */
const ANSWERED_MS_MAX = 40_000

/** Blocks of a put, root first, as the daemon names them. */
interface Put {
  readonly cid: CID
  readonly sha256: string
}

describe('private content of a daemon', () => {
  let owner: DaemonProcess
  let asker: DaemonProcess
  let witness: Witness
  let ask: ExchangeClient
  let helia: HeliaNode
  let secret: Put
  let open: Put
  const bytes = patterned(2 * MIB + 1)

  before(async () => {
    ;[owner, asker, witness, helia] = await Promise.all([
      DaemonProcess.start({ set: ['log.level=debug'] }),
      DaemonProcess.start({ set: PEERS_ALONE }),
      startWitness(),
      startHeliaNode()
    ])
    const put = async (data: Uint8Array, privacy: 'public' | 'private'): Promise<Put> => {
      const { cid, sha256 = '' } = await owner.client.call('content.put', { data: base64(data), privacy, name: 'a telling name' })
      return { cid: CID.parse(cid), sha256 }
    }
    ask = clientOf(witness.host)
    const peer = await witness.host.connect(owner.address)
    assert.equal(peer, owner.ready.peerId)
    await asker.client.call('peers.connect', { address: owner.address })
    await gossipFlows(owner, asker)
    secret = await put(bytes, 'private')
    open = await put(patterned(100), 'public')
    await helia.libp2p.dial((await import('@multiformats/multiaddr')).multiaddr(owner.address))
  })
  after(async () => {
    await Promise.all(
      [owner, asker, witness, helia].map(async part => {
        await part[Symbol.asyncDispose]()
      })
    )
  })

  it('does not exist for a connected daemon, by any form of its address', async () => {
    const cid = secret.cid.toString()
    const asks: object[] = [
      { content: cid },
      { content: `kith://${cid}` },
      { content: `ipfs://${cid}` },
      { content: secret.sha256 },
      { content: secret.sha256, metadata: { privacy: 'public' } },
      { content: cid, hops: 0, offset: 5, length: 1 }
    ]
    for (const params of asks) {
      const error = await rejection(asker.client.request('content.get', { ttl: 5, ...params }))
      assert.equal(error.code, 'NOT_FOUND', JSON.stringify(params))
      const attempts = error.data['attempts'] as { bytes: number; outcome: string }[]
      assert.equal(
        attempts.every(attempt => attempt.bytes === 0 && attempt.outcome !== 'ok'),
        true,
        JSON.stringify(attempts)
      )
    }
    assert.equal(
      (await asker.client.call('content.get', { content: open.cid.toString() })).source.stage,
      'peer',
      'what is public is found the same way'
    )
  })

  it('does not exist for a peer that asks the exchange itself: no have, no skeleton, no leaf', async () => {
    const signal = AbortSignal.timeout(ANSWERED_MS_MAX)
    const peer = owner.ready.peerId
    const leaf = CID.parse((await owner.client.call('content.put', { data: base64(bytes.subarray(0, MIB)) })).cid)
    const nowhere = CID.parse('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')
    const sink = new Collector()
    const hash = Buffer.from(secret.sha256, 'hex')
    const questions = [secret.cid, leaf, nowhere, open.cid].map(cid => cid.multihash.bytes)
    assert.deepEqual(
      (await ask.have(peer, questions, { signal })).map(({ have }) => have),
      [false, false, false, true]
    )
    assert.deepEqual(await ask.have(peer, [Buffer.concat([Uint8Array.of(0x12, 32), hash])], { signal }), [{ have: false }])
    for (const cid of [secret.cid, leaf, nowhere]) {
      assert.equal(await ask.dag(peer, dagRequest({ cid }), sink, { signal }), 'not-found')
      assert.equal(
        await ask.blocks(
          peer,
          { root: cid, cids: [cid, leaf], ttl: 5 },
          () => {
            assert.fail('a block came')
          },
          { signal }
        ),
        'not-found'
      )
    }
    assert.equal(await ask.dag(peer, dagRequest({ sha256: hash }), sink, { signal }), 'not-found')
    const underPublic: Uint8Array[] = []
    assert.equal(
      await ask.blocks(
        peer,
        { root: open.cid, cids: [leaf, secret.cid], ttl: 5 },
        (_index, block) => {
          underPublic.push(block)
        },
        { signal }
      ),
      'partial'
    )
    assert.deepEqual([sink.heads.length, sink.nodes.length, sink.leaves.length, underPublic.length], [0, 0, 0, 0])
  })

  it('stands in no advert', async () => {
    const directory = new AdvertDirectory(
      {
        clock: systemClock,
        log: silentLog,
        events: new EventBus({ clock: systemClock }),
        self: witness.host.self,
        standing: STRANGERS,
        estimates: UNMEASURED,
        state: memoryState(),
        isConnected: () => true,
        pull: async (peer, options) => await ask.advert(peer, options)
      },
      { maxBytes: 0 }
    )
    const claims = (cid: CID): string => directory.claimsOn({ multihash: cid.multihash.bytes }).of(owner.ready.peerId)
    // The advert follows the put after two seconds; when the other daemon has it, it knows of the public one.
    await nextEvent(asker, 'advert.received', ({ count }) => count === 1)
    directory.onConnected(owner.ready.peerId)
    await directory.idle()
    assert.equal(claims(open.cid), 'yes')
    assert.equal(claims(secret.cid), 'no')
    assert.equal(directory.claimsOn({ sha256: Buffer.from(secret.sha256, 'hex') }).of(owner.ready.peerId), 'no')
    assert.deepEqual(
      directory.list().map(({ count }) => count),
      [1]
    )
    await directory.close()
  })

  it('is not served over bitswap, while public content is', async () => {
    const got = await helia.cat(open.cid, { signal: AbortSignal.timeout(ANSWERED_MS_MAX) })
    assert.equal(sha256Hex(got), open.sha256)
    await assert.rejects(helia.cat(secret.cid, { signal: AbortSignal.timeout(1_000) }))
    assert.equal(await helia.blockstore.has(secret.cid), false)
  })

  it('leaves neither address nor name in the log', () => {
    const log = owner.log.join('\n')
    assert.equal(log.length > 0, true)
    for (const word of [
      secret.cid.toString(),
      toString(secret.cid.multihash.bytes, 'base64'),
      toString(secret.cid.multihash.bytes, 'base16'),
      secret.sha256,
      'a telling name'
    ])
      assert.equal(log.includes(word), false, word)
  })
})

describe('a question about private content', () => {
  let daemon: DaemonProcess
  let gateway: TrustlessGateway
  let witness: Witness
  let helia: HeliaNode
  /** Bytes that came over bitswap from the daemon. */
  const heard: Uint8Array[] = []
  const wasHeard = (cid: CID): boolean => Buffer.concat(heard).includes(Buffer.from(cid.multihash.bytes))
  const unknown = CID.parse('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')

  before(async () => {
    ;[gateway, witness, helia] = await Promise.all([startTrustlessGateway(), startWitness(), startHeliaNode()])
    daemon = await DaemonProcess.start({ set: [`gateways=[{url: "${gateway.url}"}]`] })
    for (const protocol of ['/ipfs/bitswap/1.2.0', '/ipfs/bitswap/1.1.0', '/ipfs/bitswap/1.0.0', '/ipfs/bitswap']) {
      await witness.host.libp2p.handle(protocol, stream => {
        stream.addEventListener('message', event => {
          heard.push(event.data instanceof Uint8Array ? event.data : event.data.subarray())
        })
      })
    }
    await daemon.client.call('peers.connect', { address: addressOf(witness.host) })
    await daemon.client.call('peers.connect', { address: helia.libp2p.getMultiaddrs()[0]?.toString() ?? '' })
  })
  after(async () => {
    await Promise.all(
      [daemon, gateway, witness, helia].map(async part => {
        await part[Symbol.asyncDispose]()
      })
    )
  })

  it('leaves by no way: not to a peer, not to IPFS, not to a gateway', async () => {
    const before = witness.questions()
    const forms: object[] = [
      { content: `kith://${unknown.toString()}` },
      { content: `kith://${unknown.toString()}/with/a/path` },
      { content: unknown.toString(), metadata: { privacy: 'private' } },
      { content: `ipfs://${unknown.toString()}`, metadata: { privacy: 'private' } },
      { content: 'ab'.repeat(32) },
      { content: `kith://${unknown.toString()}`, metadata: { privacy: 'public' } },
      { content: `kith://${unknown.toString()}`, preferredSources: ['gateway', 'ipfs', 'peer'] }
    ]
    for (const params of forms) {
      const error = await rejection(daemon.client.request('content.get', params))
      assert.equal(error.code, 'NOT_FOUND', JSON.stringify(params))
      const attempts = error.data['attempts'] as { stage: string; outcome: string; reason?: string }[]
      assert.deepEqual(
        attempts.filter(({ outcome }) => outcome !== 'skipped'),
        []
      )
      assert.equal(attempts.find(({ stage }) => stage === 'gateway')?.reason, 'not-public')
    }
    await rejection(daemon.client.call('content.ls', { content: `kith://${unknown.toString()}` }))
    await rejection(daemon.client.get(`kith://${unknown.toString()}`))
    assert.deepEqual(await daemon.client.call('content.has', { content: unknown.toString() }), { local: false })
    assert.deepEqual(gateway.requests, [])
    assert.equal(witness.questions(), before)
    assert.equal(wasHeard(unknown), false)
  })

  it('is not asked for what was private here once, whatever its address says now', async () => {
    const { cid, sha256 = '' } = await daemon.client.call('content.put', { data: base64(patterned(MIB + 1)) })
    await daemon.client.call('content.rm', { content: cid, force: true })
    for (const content of [cid, `ipfs://${cid}`, sha256]) {
      const error = await rejection(daemon.client.call('content.get', { content, metadata: { privacy: 'public' } }))
      assert.equal(error.code, 'NOT_FOUND')
    }
    const leaf = await daemon.client.call('content.put', { data: base64(patterned(MIB + 1).subarray(0, MIB)), pin: false })
    await daemon.client.call('content.rm', { content: leaf.cid })
    await rejection(daemon.client.call('content.get', { content: leaf.cid }))
    assert.deepEqual(gateway.requests, [])
    assert.equal(wasHeard(CID.parse(cid)), false)
  })

  it('while one about public content goes by every way', async () => {
    const asked = gateway.nextRequest()
    // The IPFS peer hears the question and says nothing, so the search lasts as long as it may.
    const error = rejection(daemon.client.call('content.get', { content: unknown.toString(), ttl: 5 }))
    await asked
    await until(
      async () => [witness.questions() > 0, wasHeard(unknown)],
      ways => ways.every(isOpen => isOpen)
    )
    assert.equal((await error).code, 'NOT_FOUND')
  })
})
