/** Daemons whose operators trust each other: private content moves between them, and nobody else hears of it. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { addressOf, patterned } from './exchange-support.ts'
import { base64, gossipFlows, MIB, nextEvent, rejection, sha256Hex, startWitness, type Witness } from './daemon-support.ts'

describe('daemons that trust each other', () => {
  let ana: DaemonProcess
  let ben: DaemonProcess
  let gateway: TrustlessGateway
  let witness: Witness
  const bytes = patterned(2 * MIB + 1)
  let seed = 0

  before(async () => {
    ;[gateway, witness] = await Promise.all([startTrustlessGateway(), startWitness()])
    ;[ana, ben] = await Promise.all([
      DaemonProcess.start({ set: ['adverts.interval=0'] }),
      DaemonProcess.start({ set: [`gateways=[{url: "${gateway.url}"}]`, 'log.level=debug'] })
    ])
    await ben.client.call('peers.connect', { address: addressOf(witness.host) })
    await ben.client.call('peers.connect', { address: ana.address })
    await ana.client.request('trust.set', { did: ben.ready.did, level: 50 })
    await ben.client.request('trust.set', { did: ana.ready.did, level: 50, name: 'Ana' })
  })
  after(async () => {
    await Promise.all(
      [ana, ben, gateway, witness].map(async part => {
        await part[Symbol.asyncDispose]()
      })
    )
  })

  /** Bytes nobody has put before. */
  const fresh = (): Uint8Array => Buffer.concat([patterned(1000), Buffer.from(String(seed++))])

  it('move a private file by its kith:// address; it stays private, and neither a stranger nor a gateway hears of it', async () => {
    const { uri, cid, sha256 } = await ana.client.call('content.put', { data: base64(bytes) })
    assert.equal(uri, `kith://${cid}`)
    const before = witness.questions()
    const got = await ben.client.call('content.get', { content: uri })
    assert.deepEqual([got.source.stage, got.source.peer, got.sha256], ['peer', ana.ready.peerId, sha256])
    assert.equal(sha256Hex(Buffer.from(got.data ?? '', 'base64')), sha256)
    const stat = await ben.client.call('content.stat', { content: cid })
    assert.deepEqual([stat.privacy, stat.uri, stat.localBlocks], ['private', uri, stat.blocks])
    assert.deepEqual([gateway.requests, witness.questions()], [[], before])
    assert.equal(ben.log.join('\n').includes(cid), false)
    const verified = await ben.client.call('content.verify', {})
    assert.deepEqual([verified.corrupt, verified.missing], [[], []])
  })

  it('take a bare address that one of them knows as private for private', async () => {
    const { cid } = await ana.client.call('content.put', { data: base64(fresh()) })
    const before = witness.questions()
    const got = await ben.client.call('content.get', { content: cid })
    assert.equal(got.source.peer, ana.ready.peerId)
    assert.equal((await ben.client.call('content.privacy', { content: cid })).class, 'private')
    assert.deepEqual([gateway.requests, witness.questions()], [[], before])
  })

  it('go to the public with a bare address that all of them deny', async () => {
    const unknown = CID.parse('bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e')
    const error = await rejection(ben.client.call('content.get', { content: unknown.toString(), ttl: 5 }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.equal(gateway.requests.length > 0, true)
  })

  it('say what to do about private content that none of them has', async () => {
    const error = await rejection(
      ben.client.call('content.get', { content: 'kith://bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e' })
    )
    assert.deepEqual([error.code, error.data['asked']], ['NOT_FOUND', 1])
    assert.match(error.message, /1 asked/)
  })

  it('move private content by its hash, and a part of it by offset and path', async () => {
    const data = fresh()
    const { sha256 = '' } = await ana.client.call('content.put', { data: base64(data) })
    const byHash = await ben.client.call('content.get', { content: sha256 })
    assert.equal(byHash.data, base64(data))
    const big = patterned(3 * MIB + 5)
    const { cid } = await ana.client.call('content.put', { entries: [{ path: 'folder/file', data: base64(big) }] })
    const part = await ben.client.call('content.get', { content: `kith://${cid}/folder/file`, offset: MIB, length: 10 })
    assert.deepEqual(part.data, base64(big.subarray(MIB, MIB + 10)))
    assert.equal((await ben.client.call('content.privacy', { content: cid })).class, 'private')
  })

  it('fetch again from each other what a disk has lost of private content', async () => {
    const { cid } = await ana.client.call('content.put', { data: base64(fresh()) })
    await ben.client.call('content.get', { content: `kith://${cid}` })
    await ben.client.call('content.rm', { content: cid, force: true })
    const again = await ben.client.call('content.get', { content: cid })
    assert.equal(again.source.peer, ana.ready.peerId, 'what was private here once is asked of trusted peers only')
  })

  const assertPrivateAtBen = async (cid: string): Promise<void> => {
    const stat = await ben.client.call('content.stat', { content: cid })
    const { class: cls } = await ben.client.call('content.privacy', { content: cid })
    assert.deepEqual([stat.privacy, stat.uri, cls], ['private', `kith://${cid}`, 'private'])
    assert.equal((await rejection(ben.client.call('content.link', { content: cid }))).code, 'CONFLICT')
  }

  it('keep as private what one of them has as private, though the request calls it public', async () => {
    const forms = [
      { by: ({ cid }: { cid: string }) => ({ content: `ipfs://${cid}` }) },
      { by: ({ cid }: { cid: string }) => ({ content: `ipfs://${cid}`, hops: 0, preferredSources: ['peer'] }) },
      { by: ({ cid }: { cid: string }) => ({ content: cid, metadata: { privacy: 'public' } }) },
      { by: ({ sha256 = '' }: { sha256?: string }) => ({ content: sha256, metadata: { privacy: 'public' } }) }
    ] as const
    for (const { by } of forms) {
      const put = await ana.client.call('content.put', { data: base64(fresh()) })
      const got = await ben.client.call('content.get', by(put))
      assert.deepEqual([got.source.stage, got.source.peer], ['peer', ana.ready.peerId])
      await assertPrivateAtBen(put.cid)
    }
  })

  it('keep as private what its owner, who did not answer in time, says is private while the public is searched', async () => {
    const data = fresh()
    const { cid } = await ana.client.call('content.put', { data: base64(data) })
    const searched = gateway.nextRequest()
    process.kill(ana.pid, 'SIGSTOP')
    let getting: Promise<{ data?: string }>
    try {
      getting = ben.client.call('content.get', { content: cid })
      getting.catch(() => {})
      await searched
    } finally {
      process.kill(ana.pid, 'SIGCONT')
    }
    assert.equal((await getting).data, base64(data))
    await assertPrivateAtBen(cid)
  })

  it('are asked in the order that route.explain shows', async () => {
    // Nobody is asked because another is slow, so that the order of answers is that of the questions.
    await using cara = await DaemonProcess.start({ set: ['routing.strict=true', 'routing.hedgeDelay=0'] })
    await cara.client.call('peers.connect', { address: addressOf(witness.host) })
    await cara.client.call('peers.connect', { address: ana.address })
    await gossipFlows(ana, cara)
    const { cid, uri } = await ana.client.call('content.put', { data: base64(fresh()), privacy: 'public' })
    await nextEvent(cara, 'advert.received', ({ count }) => Number(count) >= 1)
    const plan = await cara.client.request('route.explain', { content: uri })
    const { candidates } = plan as { candidates: { stage: string; peer?: string; eligible: boolean; claim: string }[] }
    const best = await cara.client.request('route.best', { content: uri })
    const got = await cara.client.call('content.get', { content: uri })
    const eligible = candidates.filter(each => each.eligible)
    const [first] = got.attempts.filter(({ outcome }) => outcome !== 'skipped')
    assert.deepEqual([eligible[0]?.peer, first?.peer], [ana.ready.peerId, eligible[0]?.peer])
    assert.equal((best as { peer?: string }).peer, eligible[0]?.peer)
    const local = await cara.client.request('route.best', { content: cid })
    assert.equal((local as { stage: string }).stage, 'local')
  })
})
