/** A daemon and its gateways: asked last, verified always. */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { startTrustlessGateway, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { distinctBytes, fileDag } from '../support/dag-builder.ts'
import { base64, http, MIB, rejection, sha256Hex, startWitness } from './daemon-support.ts'
import { addressOf } from './exchange-support.ts'

describe('a daemon with gateways', () => {
  let first: TrustlessGateway
  let second: TrustlessGateway
  let daemon: DaemonProcess
  let seed = 0

  before(async () => {
    ;[first, second] = await Promise.all([startTrustlessGateway(), startTrustlessGateway()])
    daemon = await DaemonProcess.start({ set: [`gateways=[{url: "${first.url}"}, {url: "${second.url}"}]`, 'routing.gatewayDelay=0'] })
  })
  after(async () => {
    await Promise.all(
      [daemon, first, second].map(async part => {
        await part[Symbol.asyncDispose]()
      })
    )
  })
  beforeEach(() => {
    first.behave('honest')
    second.behave('honest')
  })

  /** A new file that the given gateways have. */
  async function published(size: number, gateways: readonly TrustlessGateway[]): Promise<{ cid: string; bytes: Uint8Array }> {
    const bytes = distinctBytes(size, ++seed)
    const { root, blocks } = await fileDag(bytes)
    for (const { cid, bytes: block } of blocks.values()) for (const gateway of gateways) gateway.put(cid, block)
    return { cid: root.toString(), bytes }
  }

  it('gets what nobody else has from the first one, verified, and keeps it', async () => {
    const { cid, bytes } = await published(3 * MIB, [first])
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual(got.source, { stage: 'gateway', url: first.url })
    assert.deepEqual([got.sha256, got.data], [sha256Hex(bytes), base64(bytes)])
    assert.equal(got.bytes.gateway >= 3 * MIB, true)
    const before = first.requests.length
    assert.equal((await daemon.client.call('content.get', { content: cid })).source.stage, 'local')
    assert.equal(first.requests.length, before)
  })

  it('asks for a whole file in one question, and for what a broken transfer left in single ones', async () => {
    const whole = await published(3 * MIB, [first])
    const asked = first.requests.length
    await daemon.client.call('content.get', { content: whole.cid })
    assert.deepEqual(
      first.requests.slice(asked).map(({ path }) => new URL(path, first.url).searchParams.get('format')),
      ['car']
    )
    const part = await published(4 * MIB, [first])
    first.behave('half-then-close', CID.parse(part.cid))
    const got = await daemon.client.call('content.get', { content: part.cid })
    assert.deepEqual([got.sha256, got.source.url, first.requests.length - asked], [sha256Hex(part.bytes), first.url, 2 + 2])
    assert.equal(got.bytes.gateway < 4 * MIB + 1000, true, 'nothing came twice')
  })

  it('finds small content by its hash, for which nobody has to give an address', async () => {
    const { bytes } = await published(1000, [second])
    const content = `sha256:${sha256Hex(bytes)}`
    const got = await daemon.client.call('content.get', { content, metadata: { privacy: 'public' } })
    assert.deepEqual([got.data, got.source.url], [base64(bytes), second.url])
  })

  it('finds large content by its hash once a peer has given the address, even if that peer has nothing else', async () => {
    await using witness = await startWitness()
    const { bytes } = await published(3 * MIB, [first])
    const content = `sha256:${sha256Hex(bytes)}`
    const error = await rejection(daemon.client.call('content.get', { content, metadata: { privacy: 'public' } }))
    assert.equal(error.code, 'NOT_FOUND')
    const skipped = (error.data['attempts'] as { stage: string; reason?: string }[]).filter(({ reason }) => reason === 'no-cid')
    assert.deepEqual(
      skipped.map(({ stage }) => stage),
      ['ipfs', 'gateway']
    )
    const root = await witness.content.addFile(bytes)
    for (const { cid } of (await fileDag(bytes)).blocks.values()) if (!cid.equals(root)) witness.content.delete(cid)
    await daemon.client.call('peers.connect', { address: addressOf(witness.host) })
    const got = await daemon.client.call('content.get', { content, metadata: { privacy: 'public' } })
    assert.deepEqual([got.sha256, got.cid, got.bytes.gateway > 2 * MIB], [sha256Hex(bytes), root.toString(), true])
    await daemon.client.call('peers.disconnect', { peer: witness.host.self })
  })

  it('goes on to the next when the first does not have it', async () => {
    const { cid } = await published(100, [second])
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual(
      got.attempts.filter(({ stage }) => stage === 'gateway').map(({ url, outcome }) => [url, outcome]),
      [
        [first.url, 'not-found'],
        [second.url, 'ok']
      ]
    )
  })

  it('asks no gateway that preferredSources leaves out, and only gateways if they alone are named', async () => {
    const { cid } = await published(100, [first])
    const before = first.requests.length
    const error = await rejection(daemon.client.call('content.get', { content: cid, preferredSources: ['peer', 'ipfs'] }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.equal(first.requests.length, before)
    const got = await daemon.client.call('content.get', { content: cid, preferredSources: ['gateway'] })
    assert.deepEqual(
      got.attempts.map(({ stage, outcome }) => [stage, outcome]),
      [['gateway', 'ok']]
    )
  })

  it('asks the next as well when the first says nothing for two seconds', async () => {
    const { cid } = await published(100, [first, second])
    first.behave('silent')
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual([got.source.url, got.attempts.find(({ url }) => url === first.url)?.outcome], [second.url, 'cancelled'])
  })

  it('throws wrong bytes away and goes on to the next at once', async () => {
    const { cid, bytes } = await published(2 * MIB, [first, second])
    first.behave('wrong-bytes')
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual([got.sha256, got.source.url], [sha256Hex(bytes), second.url])
    const [corrupt] = got.attempts.filter(({ stage }) => stage === 'gateway')
    assert.deepEqual([corrupt?.url, corrupt?.outcome, corrupt?.bytes], [first.url, 'corrupt', 0])
  })

  it('answers INTEGRITY when all bytes are wrong, stores nothing of them, and finds the right ones later', async () => {
    const { cid, bytes } = await published(100, [first, second])
    first.behave('wrong-bytes')
    second.behave('wrong-bytes')
    const before = (await daemon.client.call('daemon.status', {})).store['cache']
    const error = await rejection(daemon.client.call('content.get', { content: cid }))
    assert.deepEqual([error.code, error.kind.rpc, error.data['fault']], ['INTEGRITY', -32006, 'world'])
    const outcomes = (error.data['attempts'] as { stage: string; outcome: string }[])
      .filter(({ stage }) => stage === 'gateway')
      .map(({ outcome }) => outcome)
    assert.equal(outcomes.includes('corrupt') && !outcomes.includes('ok'), true, outcomes.join())
    assert.equal((await http(daemon, 'GET', `/content/${cid}`)).status >= 500, true)
    assert.deepEqual((await daemon.client.call('daemon.status', {})).store['cache'], before)
    assert.deepEqual(await daemon.client.call('content.has', { content: cid }), { local: false })
    await using fresh = await DaemonProcess.start({ set: [`gateways=[{url: "${first.url}"}]`] })
    first.behave('honest')
    assert.equal((await fresh.client.call('content.get', { content: cid })).data, base64(bytes))
  })

  it('never ends an HTTP answer cleanly when the source fails in the middle', async () => {
    await using gateway = await startTrustlessGateway()
    await using asker = await DaemonProcess.start({ set: [`gateways=[{url: "${gateway.url}"}]`] })
    const bytes = distinctBytes(40 * MIB, ++seed)
    const { root, blocks } = await fileDag(bytes)
    const all = [...blocks.values()]
    for (const { cid, bytes: block } of all) gateway.put(cid, block)
    gateway.behave('wrong-bytes', all[30]?.cid)
    await assert.rejects(http(asker, 'GET', `/content/${root.toString()}`), /aborted|hang up|ECONNRESET/)
  })

  it('shows its gateways in daemon.status, and whether they are well', async () => {
    const { ipfs } = await daemon.client.call('daemon.status', {})
    assert.deepEqual(
      [ipfs.gatewayNodes, ipfs.nodes.filter(({ type }) => type === 'gateway').map(({ url }) => url)],
      [2, [first.url, second.url]]
    )
  })
})
