/** A trusted peer fetches public content from its IPFS for a daemon that has none, and only then. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { distinctBytes, fileDag, treeDag } from '../support/dag-builder.ts'
import { startFakeKubo, type FakeKubo } from '../support/fake-kubo.ts'
import { base64, nextEvent, rejection, sha256Hex } from './daemon-support.ts'

describe('a daemon without IPFS', () => {
  let helper: DaemonProcess
  let asker: DaemonProcess
  let kubo: FakeKubo

  before(async () => {
    kubo = await startFakeKubo()
    ;[helper, asker] = await Promise.all([
      DaemonProcess.start({ set: ['ipfs.type=kubo', `ipfs.api=${kubo.url}`] }),
      DaemonProcess.start({ set: ['ipfs.type=gateway-only'] })
    ])
    await asker.client.call('peers.connect', { address: helper.address })
    await nextEvent(asker, 'advert.received')
    await helper.client.request('trust.set', { did: asker.ready.did, level: 50 })
    await asker.client.request('trust.set', { did: helper.ready.did, level: 50 })
  })
  after(async () => {
    await Promise.all(
      [helper, asker, kubo].map(async part => {
        await part[Symbol.asyncDispose]()
      })
    )
  })

  it('gets public content through a trusted peer: stage proxy, whole and verified', async () => {
    const bytes = distinctBytes(2_500_000)
    const { root, blocks } = await fileDag(bytes)
    kubo.put(blocks.get([...blocks.keys()].at(-1) ?? '') ?? { cid: root, bytes }, ...blocks.values())
    const plan = await asker.client.request('route.explain', { content: `ipfs://${root.toString()}` })
    assert.equal(
      (plan as { candidates: { stage: string; eligible: boolean }[] }).candidates.find(({ stage }) => stage === 'proxy')?.eligible,
      true
    )
    const got = await asker.client.call('content.get', { content: `ipfs://${root.toString()}` })
    assert.deepEqual([got.source.stage, got.source.peer, got.sha256], ['proxy', helper.ready.peerId, sha256Hex(bytes)])
    assert.deepEqual([got.bytes.proxy > bytes.byteLength, got.bytes.peer, got.bytes.ipfs], [true, 0, 0])
  })

  it('follows a path through a trusted peer, and fetches only what lies on it', async () => {
    const files = ['a', 'b'].map((name, index) => ({ path: `letters/old/${name}.bin`, content: distinctBytes(1_500_000, 20 + index) }))
    const { root, blocks } = await treeDag(files)
    kubo.put(...blocks.values())
    const got = await asker.client.call('content.get', { content: `ipfs://${root.toString()}/old/b.bin` })
    assert.deepEqual([got.source.stage, got.data], ['proxy', Buffer.from(distinctBytes(1_500_000, 21)).toString('base64')])
    const { entries } = await asker.client.call('content.ls', { content: `ipfs://${root.toString()}/old` })
    assert.deepEqual(
      entries.map(({ name }) => name),
      ['a.bin', 'b.bin']
    )
  })

  it('says which limit of the peer was in the way', async () => {
    await using small = await DaemonProcess.start({ set: ['ipfs.type=kubo', `ipfs.api=${kubo.url}`, 'proxy.maxBytes=1MiB'] })
    await using other = await DaemonProcess.start({ set: ['ipfs.type=gateway-only'] })
    await other.client.call('peers.connect', { address: small.address })
    await nextEvent(other, 'advert.received')
    await small.client.call('trust.set', { did: other.ready.did, level: 50 })
    await other.client.call('trust.set', { did: small.ready.did, level: 50 })
    const { root, blocks } = await fileDag(distinctBytes(2_500_000, 30))
    kubo.put(...blocks.values())
    const error = await rejection(other.client.call('content.get', { content: `ipfs://${root.toString()}` }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.match(JSON.stringify(error.data['attempts']), /"stage":"proxy"[^}]*"outcome":"refused"[^}]*proxy\.maxBytes/)
  })

  it('never gives what is its own that way, be it asked when its answer as a peer came too late', async () => {
    await using gateway = await startLastResort()
    await using late = await DaemonProcess.start({ set: ['ipfs.type=gateway-only', `gateways=[{url: "${gateway.url}"}]`] })
    await late.client.call('peers.connect', { address: helper.address })
    await nextEvent(late, 'advert.received')
    await helper.client.call('trust.set', { did: late.ready.did, level: 50 })
    await late.client.call('trust.set', { did: helper.ready.did, level: 50 })
    const [first, second] = await Promise.all(
      [60, 61].map(
        async seed => await helper.client.call('content.put', { data: base64(distinctBytes(2_500_000, seed)), privacy: 'private' })
      )
    )
    const reads = async (content: string): Promise<unknown> =>
      await late.client.call('content.get', { content, ttl: 8 }).then(
        ({ source }) => source.stage,
        (error: unknown) => error
      )
    assert.notEqual(await reads(`ipfs://${first?.cid ?? ''}`), 'proxy')
    process.kill(helper.pid, 'SIGSTOP')
    const answer = reads(second?.cid ?? '')
    // Its peers have not answered in time: the public ways are open when the last of them is asked.
    await gateway.asked(second?.cid ?? '')
    process.kill(helper.pid, 'SIGCONT')
    assert.notEqual(await answer, 'proxy')
    for (const put of [first, second]) {
      const known = await late.client.request('content.stat', { content: put?.cid ?? '' }).catch(() => ({}))
      assert.doesNotMatch(JSON.stringify(known), /"ipfs:|"public":true/)
    }
  })

  it('does not when the request says hops 0, nor for what is private', async () => {
    const { root, blocks } = await fileDag(distinctBytes(1000, 5))
    kubo.put(...blocks.values())
    const before = kubo.requests.filter(({ call }) => call.includes(root.toString())).length
    for (const params of [{ content: `ipfs://${root.toString()}`, hops: 0 }, { content: `kith://${root.toString()}` }]) {
      const error = await rejection(asker.client.request('content.get', { ttl: 3, ...params }))
      assert.equal(error.code, 'NOT_FOUND')
    }
    assert.equal(kubo.requests.filter(({ call }) => call.includes(root.toString())).length, before)
    const got = await asker.client.call('content.get', { content: `ipfs://${root.toString()}`, preferredSources: ['peer'] })
    assert.equal(got.source.stage, 'proxy', 'it belongs to the peers')
  })
})

/** A gateway that has nothing, and says when it was asked. */
async function startLastResort(): Promise<{ readonly url: string; asked(cid: string): Promise<void> } & AsyncDisposable> {
  const waiting = new Map<string, PromiseWithResolvers<void>>()
  const of = (cid: string): PromiseWithResolvers<void> => {
    const found = waiting.get(cid) ?? Promise.withResolvers<void>()
    waiting.set(cid, found)
    return found
  }
  const server = createServer(({ url = '' }, response) => {
    of(/^\/ipfs\/(\w+)/.exec(url)?.[1] ?? '').resolve()
    response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    asked: async cid => await of(cid).promise,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
