/** What daemons tell each other beside adverts: news of public contents, and what they are when asked directly. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { prepareHome } from '../../src/adapters/system/home.ts'
import { loadIdentity } from '../../src/adapters/system/identity-file.ts'
import { signBinding } from '../../src/peers/sign-binding.ts'
import { identity } from '../unit/adverts/support.ts'
import { base64, gossipFlows, nextEvent, rejection } from './daemon-support.ts'

describe('news between daemons', () => {
  let home: string
  let a: DaemonProcess
  let b: DaemonProcess
  let person: string

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'kith-news-'))
    // Its key is made before it starts: a person signs that this node speaks for them.
    const node = await loadIdentity(await prepareHome(home), { newIdentity: true })
    const ana = await identity(7)
    const iat = Math.floor(Date.now() / 1000)
    await mkdir(join(home, 'keys', 'bindings'))
    await writeFile(join(home, 'keys', 'bindings', 'ana.jwt'), await signBinding(ana, node.identity.did, { iat, exp: iat + 3600 }))
    await writeFile(join(home, 'keys', 'bindings', 'broken.jwt'), 'not a token')
    person = ana.did
    const set = ['adverts.interval=0']
    ;[a, b] = await Promise.all([
      DaemonProcess.start({ home, set: [...set, 'ipfs.publicGateway=https://ana.example'] }),
      DaemonProcess.start({ set })
    ])
    await b.client.call('trust.set', { did: person, level: 80 })
    await b.client.call('peers.connect', { address: a.address })
    await gossipFlows(a, b)
  })
  after(async () => {
    await Promise.all([a, b].map(async daemon => await daemon?.[Symbol.asyncDispose]()))
    await rm(home, { recursive: true, force: true })
  })

  it('a daemon answers what it is, who speaks for it, and nothing that is not for the asker', async () => {
    const said = await b.client.call('capabilities.query', { peer: a.ready.did })
    assert.deepEqual(
      [said.peerId, said.did, said.ipfsNode.type, said.proxy, said.bindings.map(({ did }) => did)],
      [a.ready.peerId, a.ready.did, 'helia', undefined, [person]]
    )
    const status = async (daemon: DaemonProcess) => (await daemon.client.call('daemon.status', {})).bindings
    assert.deepEqual([await status(a), await status(b)], [said.bindings, undefined])
    assert.match(said.ipfsNode.publicGateway ?? '', /^https:\/\/ana\.example/)
    assert.ok(said.protocols.includes('/kith/exchange/1') && said.seq > 0)
  })

  it('whom the operator trusts is trusted at the nodes they speak from', async () => {
    const items = (await b.client.call('peers.list', {})).items
    assert.equal(items.find(({ peerId }) => peerId === a.ready.peerId)?.access, 8)
  })

  it('public content is told to the apps of others, who fetch nothing of it; private content is not', async () => {
    await a.client.call('content.put', { data: base64('kept to myself') })
    const put = await a.client.call('content.put', { data: base64('for everybody'), privacy: 'public', contentType: 'text/plain' })
    const event = await nextEvent(b, 'content.available')
    assert.deepEqual(
      [event['cid'], event['sha256'], event['size'], event['contentType'], event['did']],
      [put.cid, put.sha256, 13, 'text/plain', a.ready.did]
    )
    assert.deepEqual(await b.client.call('content.has', { content: put.cid }), { local: false })
    const { public: isPublic, reason } = await b.client.call('content.privacy', { content: `sha256:${put.sha256}` })
    assert.deepEqual([isPublic, reason], [true, 'update'], 'a trusted peer signed it')
  })

  it('the own advert is published by hand', async () => {
    const own = await a.client.call('adverts.publish', {})
    assert.deepEqual([own.did, own.count, own.truncated], [a.ready.did, 1, false])
    const heard = await nextEvent(b, 'advert.received', ({ advertSeq }) => Number(advertSeq) >= own.seq)
    assert.equal(heard['did'], a.ready.did)
  })

  it('who is not connected cannot be asked', async () => {
    const stranger = await identity(9)
    assert.equal((await rejection(b.client.call('capabilities.query', { peer: stranger.peerId }))).code, 'UNAVAILABLE')
    assert.equal((await rejection(b.client.call('capabilities.query', { peer: 'alice' }))).code, 'INVALID_PARAMS')
  })
})
