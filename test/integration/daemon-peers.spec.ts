/** Real daemons that get content from each other. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { LinkProxy } from '../../scripts/lib/link-proxy.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { base64, hashOfFile, http, MIB, PEERS_ALONE, rejection, startPair, writeBig } from './daemon-support.ts'

/** At what each link of {@link BIG_MIB} carries that takes seconds, and progress is told five times a second. */
const BIG_MIB = 32
const LINK_RATE = 8 * MIB

describe('daemons as peers', () => {
  let pair: Awaited<ReturnType<typeof startPair>>
  before(async () => {
    pair = await startPair(PEERS_ALONE)
  })
  after(async () => {
    await pair[Symbol.asyncDispose]()
  })

  /** Puts a new file on the first daemon. */
  async function putBig(name: string, mebibytes: number, seed: number): Promise<{ cid: string; sha256: string }> {
    const path = join(pair.a.home, name)
    const sha256 = await writeBig(path, mebibytes, seed)
    const { cid } = await pair.a.client.call('content.put', { path, privacy: 'public' })
    return { cid, sha256 }
  }

  it('know each other by PeerId and DID once one has dialled the other', async () => {
    const { a, b } = pair
    const [seen] = (await a.client.call('peers.list', {})).items
    assert.deepEqual(
      [seen?.peerId, seen?.did, seen?.connected, seen?.via, seen?.hasIpfs],
      [b.ready.peerId, b.ready.did, true, 'direct', true]
    )
    for (const peer of [a.ready.peerId, a.ready.did]) assert.equal((await b.client.call('peers.ping', { peer })).latencyMs > 0, true)
    assert.equal((await rejection(b.client.call('peers.ping', { peer: 'did:key:alice' }))).data['fault'], 'caller')
    assert.equal((await rejection(b.client.call('peers.connect', { address: 'nonsense' }))).kind.rpc, -32602)
    assert.equal((await rejection(b.client.call('peers.connect', { address: '/ip4/127.0.0.1/tcp/1' }))).code, 'UNAVAILABLE')
  })

  it('serve a file to each other: from the peer first, from here afterwards', async () => {
    const { a, b } = pair
    const { cid, sha256 } = await putBig('file', 6, 1)
    const got = await b.client.call('content.get', { content: cid, path: join(b.home, 'file') })
    assert.deepEqual(got.source, { stage: 'peer', peer: a.ready.peerId, did: a.ready.did })
    assert.deepEqual([got.sha256, got.size, got.bytes.local, got.bytes.ipfs, got.bytes.gateway], [sha256, 6 * MIB, 0, 0, 0])
    assert.equal(got.bytes.peer >= 6 * MIB, true)
    assert.equal(got.firstByteMs <= got.ms, true)
    assert.equal(await hashOfFile(join(b.home, 'file')), sha256)
    assert.equal((await b.client.call('content.get', { content: cid })).source.stage, 'local')
    const stat = await b.client.call('content.stat', { content: cid })
    assert.deepEqual([stat.privacy, stat.pinned, stat.sha256, stat.localBlocks], ['public', false, sha256, stat.blocks])
  })

  it('find a content by its hash too, if it is said to be public', async () => {
    const { cid, sha256 } = await putBig('by-hash', 3, 2)
    const unsaid = await rejection(pair.b.client.call('content.get', { content: sha256 }))
    assert.equal(unsaid.code, 'NOT_FOUND')
    const got = await pair.b.client.call('content.get', { content: sha256, metadata: { privacy: 'public' } })
    assert.deepEqual([got.cid, got.sha256, got.source.stage], [cid, sha256, 'peer'])
  })

  it('list a remote directory whose entries are no single blocks, without fetching it', async () => {
    const { a, b } = pair
    await writeBig(join(a.home, 'part'), 3, 3)
    const { cid } = await a.client.call('content.put', {
      privacy: 'public',
      entries: [
        { path: 'sub/part', file: join(a.home, 'part') },
        { path: 'note', data: base64('n') }
      ]
    })
    const before = (await b.client.call('daemon.status', {})).store['cache']?.bytes ?? 0
    assert.deepEqual(
      (await b.client.call('content.ls', { content: cid })).entries.map(({ name, type }) => [name, type]),
      [
        ['note', 'file'],
        ['sub', 'directory']
      ]
    )
    assert.deepEqual(
      (await b.client.call('content.ls', { content: `/ipfs/${cid}/sub` })).entries.map(({ name, size }) => [name, size]),
      [['part', 3 * MIB]]
    )
    assert.equal((await rejection(b.client.call('content.get', { content: cid }))).data['code'], 'IS_DIRECTORY')
    const after = (await b.client.call('daemon.status', {})).store['cache']?.bytes ?? 0
    assert.equal(after - before < 10_000, true, `${after - before} bytes came`)
    assert.deepEqual(await b.client.call('content.has', { content: cid }), { local: false })
  })

  it('get a part without the rest: by offset and length, and by HTTP Range', async () => {
    const { b } = pair
    const { cid } = await putBig('parts', 32, 4)
    const part = await b.client.call('content.get', { content: cid, offset: 20 * MIB + 7, length: 9 })
    assert.equal(part.bytes.peer < 2 * MIB, true, `${part.bytes.peer} bytes came`)
    assert.equal(Buffer.from(part.data ?? '', 'base64').byteLength, 9)
    assert.equal('sha256' in part, false)
    const before = (await b.client.call('daemon.status', {})).store['cache']?.bytes ?? 0
    const range = await http(b, 'GET', `/content/${cid}`, { headers: { range: `bytes=${31 * MIB}-${31 * MIB + 3}` } })
    assert.deepEqual([range.status, range.body.readUInt32LE(0)], [206, 31])
    const head = await http(b, 'HEAD', `/content/${cid}`)
    assert.deepEqual([head.status, head.headers['content-length']], [200, String(32 * MIB)])
    const after = (await b.client.call('daemon.status', {})).store['cache']?.bytes ?? 0
    assert.equal(after - before <= MIB, true, `${after - before} bytes came`)
    assert.deepEqual(await b.client.call('content.has', { content: cid }), { local: false })
    const whole = await b.client.call('content.get', { content: cid })
    assert.equal(whole.bytes.local >= 2 * MIB, true, 'what was there is not fetched again')
    assert.equal(whole.bytes.peer <= 30 * MIB + 1000, true)
  })

  it('serve nothing of what was removed', async () => {
    const { a, b } = pair
    const { cid } = await a.client.call('content.put', { data: base64('soon gone'), privacy: 'public' })
    await a.client.call('content.rm', { content: cid, force: true })
    const error = await rejection(b.client.call('content.get', { content: cid }))
    assert.equal(error.code, 'NOT_FOUND')
    assert.equal(
      (error.data['attempts'] as { bytes: number }[]).every(({ bytes }) => bytes === 0),
      true
    )
  })

  it('keep a failed answer from counting: the same content is found once somebody has it', async () => {
    const { a, b } = pair
    const data = base64('comes later')
    const { cid } = await a.client.call('content.put', { data, privacy: 'public' })
    await a.client.call('content.rm', { content: cid, force: true })
    assert.equal((await rejection(b.client.call('content.get', { content: cid }))).code, 'NOT_FOUND')
    await a.client.call('content.put', { data, privacy: 'public' })
    assert.equal((await b.client.call('content.get', { content: cid })).data, data)
  })
})

describe('a transfer whose peer dies', () => {
  it('goes on from another one, with bytes from each and the content whole', async () => {
    await using a = await DaemonProcess.start()
    await using b = await DaemonProcess.start({ set: PEERS_ALONE })
    await using c = await DaemonProcess.start()
    const daemons = [a, c]
    const path = join(a.home, 'big')
    const sha256 = await writeBig(path, BIG_MIB)
    const [{ cid }] = await Promise.all([
      a.client.call('content.put', { path, privacy: 'public' }),
      c.client.call('content.put', { path, privacy: 'public' })
    ])
    await using links = new LinkProxy({ clock: systemClock })
    for (const { ready, address } of daemons) {
      links.setLink(ready.peerId, { bandwidth: LINK_RATE })
      const door = await links.open({ to: ready.peerId })
      door.lead(Number(/\/tcp\/(\d+)/.exec(address)?.[1]))
      await b.client.call('peers.connect', { address: `/ip4/127.0.0.1/tcp/${door.port}/p2p/${ready.peerId}` })
    }
    let killed: Promise<unknown> | undefined
    const got = await b.client.call(
      'content.get',
      { content: cid },
      {
        onProgress: ({ source, bytes }) => {
          const peer = (source as { peer?: string } | undefined)?.peer
          if (Number(bytes) < BIG_MIB * MIB) killed ??= daemons.find(({ ready }) => ready.peerId === peer)?.kill('SIGKILL')
        }
      }
    )
    assert.notEqual(killed, undefined, 'there was time to kill it')
    await killed
    assert.equal(got.sha256, sha256)
    const [first, second] = daemons.map(({ ready }) => got.attempts.filter(({ peer, bytes }) => peer === ready.peerId && bytes > 0))
    assert.equal((first?.length ?? 0) > 0 && (second?.length ?? 0) > 0, true, JSON.stringify(got.attempts))
    const outcomes = got.attempts.filter(({ bytes }) => bytes > 0).map(({ outcome }) => outcome)
    assert.deepEqual([...new Set(outcomes)].toSorted(), ['fault', 'ok'])
    const peerBytes = got.attempts.reduce((sum, { bytes }) => sum + bytes, 0)
    assert.equal(peerBytes < (BIG_MIB + 1) * MIB, true, 'nothing was sent twice')
    const stat = await b.client.call('content.stat', { content: cid })
    assert.equal(stat.localBlocks, stat.blocks)
  })
})
