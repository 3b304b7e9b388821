/** What a real daemon serves over the exchange, as its operator moves the rights of one peer. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { ExchangeClient } from '../../src/exchange/client.ts'
import { didFromPeerId } from '../../src/peers/did-key.ts'
import { base64, rejection } from './daemon-support.ts'
import { clientOf, Collector, dagRequest, patterned, startTestHost } from './exchange-support.ts'

describe('a daemon and the rights of a peer', function () {
  this.timeout(60_000)
  let daemon: DaemonProcess
  let host: Host
  let ask: ExchangeClient
  let secret: CID
  let open: CID
  let signal: AbortSignal
  beforeEach(() => {
    signal = AbortSignal.timeout(50_000)
  })

  before(async () => {
    ;[daemon, host] = await Promise.all([DaemonProcess.start(), startTestHost()])
    const put = async (bytes: Uint8Array, privacy: 'public' | 'private'): Promise<CID> =>
      CID.parse((await daemon.client.call('content.put', { data: base64(bytes), privacy })).cid)
    secret = await put(patterned(2_000_000), 'private')
    open = await put(patterned(1_000), 'public')
    await host.connect(daemon.address)
    ask = clientOf(host)
  })
  after(async () => {
    await Promise.all([daemon[Symbol.asyncDispose](), host.stop()])
  })

  async function dag(cid: CID): Promise<string> {
    return await ask.dag(daemon.ready.peerId, dagRequest({ cid }), new Collector(), { signal })
  }
  async function classOf(cid: CID): Promise<string | undefined> {
    const [answer] = await ask.have(daemon.ready.peerId, [cid.multihash.bytes], { signal })
    return answer?.class
  }
  const did = (): string => didFromPeerId(host.self)

  it('gives a stranger what is public, and of the rest not even that it is there', async () => {
    assert.deepEqual([await dag(open), await dag(secret)], ['ok', 'not-found'])
    assert.deepEqual([await classOf(open), await classOf(secret)], ['public', undefined])
  })

  it('gives a peer its own content from level 50 on, and says that it is private', async () => {
    await daemon.client.call('trust.set', { did: did(), level: 49 })
    assert.equal(await dag(secret), 'not-found')
    await daemon.client.call('trust.set', { did: did(), level: 50 })
    assert.deepEqual([await dag(secret), await classOf(secret)], ['ok', 'private'])
  })

  it('gives nothing of it to who asks this node to fetch for it: that would be taken for public', async () => {
    await daemon.client.call('trust.set', { did: did(), level: 80 })
    const fetched = new Collector()
    const missing = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
    const ends = await Promise.all(
      [secret, missing].map(
        async (cid, at) =>
          await ask
            .dag(daemon.ready.peerId, dagRequest({ cid, hops: 1, requestId: new Uint8Array(16).fill(at + 1) }), fetched, { signal })
            .then(
              end => end,
              (error: unknown) => String(error)
            )
      )
    )
    assert.equal(ends[0], ends[1])
    assert.equal(fetched.content.byteLength, 0)
    assert.equal(await dag(secret), 'ok')
  })

  it('gives nothing of it to a daemon that seeks it as public, be it one it trusts and is a stranger to', async () => {
    await using other = await DaemonProcess.start()
    await other.client.call('peers.connect', { address: daemon.address })
    await daemon.client.call('trust.set', { did: other.ready.did, level: 80 })
    const error = await rejection(other.client.call('content.get', { content: `ipfs://${secret.toString()}`, ttl: 5 }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.deepEqual((await other.client.call('content.list', {})).items, [])
    await other.client.call('trust.set', { did: daemon.ready.did, level: 50 })
    const got = await other.client.call('content.get', { content: `ipfs://${secret.toString()}`, ttl: 5 })
    assert.equal((await other.client.call('content.stat', { content: got.cid })).privacy, 'private')
  })

  it('takes it away again at once', async () => {
    await daemon.client.call('trust.set', { did: did(), level: 10 })
    assert.deepEqual([await dag(secret), await dag(open)], ['not-found', 'ok'])
    const { items } = await daemon.client.call('peers.list', {})
    assert.ok((items.find(({ peerId }) => peerId === host.self)?.ledger['bytesSent'] ?? 0) > 2_000_000, 'what it was served is counted')
  })

  it('fetches for nobody below proxy.serveMinTrust', async () => {
    const nowhere = CID.parse('bafkreigbyewtywnethcrhahbphbwcqlyecrpdyshomjtttzunbh3o74m6e')
    const request = dagRequest({ cid: nowhere, hops: 1, requestId: new Uint8Array(16).fill(9) })
    assert.equal(await ask.dag(daemon.ready.peerId, request, new Collector(), { signal }), 'refused')
  })
})
