/** Single contents given by ticket: to whoever comes first, or to those who are named. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64, rejection } from './daemon-support.ts'
import { kith } from '../unit/cli/support.ts'
import { accessOf, reasonOf, startTwo } from './pairing-support.ts'

describe('kith share and kith get TICKET', function () {
  this.timeout(120_000)
  it('move a private file between two people who never met, and open nothing else', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const { uri } = await a.client.call('content.put', { data: base64('a letter'), name: 'letter.txt' })
    const shared = await kith(['share', uri], { home: a.home })
    assert.equal(shared.code, 0, shared.stderr)
    const got = await kith(['get', shared.stdout.trim()], { home: b.home })
    assert.equal(got.code, 0, got.stderr)
    assert.equal(got.stdout.trim(), join(b.home, 'letter.txt'), 'under the name it has where it came from')
    assert.equal(await readFile(got.stdout.trim(), 'utf8'), 'a letter')
    assert.equal((await b.client.call('content.stat', { content: uri })).name, 'letter.txt')
    const letters = await a.client.call('content.put', { ...smallFolder(), name: 'letters' })
    const ticket = (await kith(['share', letters.uri], { home: a.home })).stdout.trim()
    const tree = await kith(['get', ticket], { home: b.home })
    assert.equal(tree.stdout.trim(), join(b.home, 'letters'), tree.stderr)
    assert.deepEqual([await accessOf(a, b.ready.did), await accessOf(b, a.ready.did)], [0, 0])
    const open = await a.client.call('content.put', { data: base64('for all'), name: 'open.txt', privacy: 'public' })
    const fetched = await kith(['get', open.uri], { home: b.home })
    assert.equal(fetched.stdout.trim(), join(b.home, open.cid), 'no stranger gives a name to what is public')
    const stolen = await kith(['get', `${shared.stdout.trim().slice(0, -1)}!`], { home: b.home })
    assert.equal(stolen.code, 2)
    const late = await kith(['join', (await kith(['invite', '--expires', '1ms'], { home: b.home })).stdout.trim()], { home: b.home })
    assert.equal(late.code, 2, 'its own ticket')
  })
})

describe('a content that is shared', function () {
  this.timeout(120_000)
  it('may be had by the one who came with the ticket, and nothing else may, until it is removed', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const shared = await a.client.call('content.put', { data: base64('for you alone') })
    const other = await a.client.call('content.put', { data: base64('for nobody') })
    const { ticket } = await a.client.call('content.share', { content: shared.uri })
    const joined = await b.client.call('peers.join', { ticket })
    assert.equal(joined.content, shared.uri)
    assert.equal(await accessOf(a, b.ready.did), 0)
    const got = await b.client.call('content.get', { content: joined.content ?? '' })
    assert.equal(got.data, base64('for you alone'))
    assert.equal((await rejection(b.client.call('content.get', { content: other.uri, ttl: 5 }))).code, 'NOT_FOUND')
    await b.client.call('content.rm', { content: shared.uri, force: true })
    await a.client.call('content.rm', { content: shared.uri, force: true })
    await a.client.call('content.put', { data: base64('for you alone') })
    assert.equal((await rejection(b.client.call('content.get', { content: shared.uri, ttl: 5 }))).code, 'NOT_FOUND')
    assert.deepEqual(reasonOf(await rejection(b.client.call('peers.join', { ticket }))), ['UNAUTHORIZED', 'revoked'])
  })

  it('opens what lies below a shared directory, and nothing beside it', async () => {
    await using two = await startTwo()
    const { a, b } = two
    const { entries, large } = folder()
    const { uri } = await a.client.call('content.put', { entries })
    const beside = await a.client.call('content.put', { data: base64('beside it') })
    const { ticket } = await a.client.call('content.share', { content: uri })
    await b.client.call('peers.join', { ticket })
    const got = await b.client.call('content.get', { content: `${uri}/letters/first.txt` })
    assert.equal(got.data, base64('the first letter'))
    assert.equal((await b.client.call('content.get', { content: `${uri}/letters/large.bin` })).data, large)
    const { entries: listed } = await b.client.call('content.ls', { content: `${uri}/letters` })
    assert.deepEqual(listed.map(({ name }) => name).toSorted(), ['first.txt', 'large.bin'])
    for (const content of [beside.uri, `${uri}/letters/none`]) {
      assert.equal((await rejection(b.client.call('content.get', { content, ttl: 5 }))).code, 'NOT_FOUND')
    }
  })

  it('may be had at once by those who are named, and its ticket by nobody else', async () => {
    await using two = await startTwo()
    const { a, b } = two
    await using c = await DaemonProcess.start()
    const { uri, cid } = await a.client.call('content.put', { data: base64('for some') })
    const { ticket } = await a.client.call('content.share', { content: cid, to: [b.ready.did] })
    assert.deepEqual(reasonOf(await rejection(c.client.call('peers.join', { ticket }))), ['UNAUTHORIZED', 'not-yours'])
    const joined = await b.client.call('peers.join', { ticket, level: 0 })
    assert.equal((await b.client.call('content.get', { content: uri })).data, base64('for some'))
    await b.client.call('content.rm', { content: uri, force: true })
    await a.client.call('trust.block', { did: b.ready.did })
    await a.client.call('trust.unblock', { did: b.ready.did })
    await b.client.call('peers.connect', { address: a.address })
    assert.equal((await rejection(b.client.call('content.get', { content: uri, ttl: 5 }))).code, 'NOT_FOUND', 'a block ends it for good')
    assert.deepEqual([joined.content, joined.access], [uri, 0])
    assert.equal((await rejection(a.client.call('content.share', { content: 'kith://bafkqaaa' }))).code, 'NOT_FOUND')
    assert.equal((await rejection(a.client.call('content.share', { content: cid, to: ['did:key:alice'] }))).code, 'INVALID_PARAMS')
    assert.equal((await rejection(a.client.call('content.share', { content: cid, to: [] }))).code, 'INVALID_PARAMS')
  })
})

function smallFolder(): { entries: { path: string; data: string }[] } {
  return { entries: [{ path: 'first.txt', data: base64('first') }] }
}

/** Files of one block and of more, in a directory. */
function folder(): { entries: { path: string; data: string }[]; large: string } {
  const large = Buffer.alloc(2_500_000, 'a long letter ').toString('base64')
  return {
    entries: [
      { path: 'letters/first.txt', data: base64('the first letter') },
      { path: 'letters/large.bin', data: large },
      { path: 'readme.txt', data: base64('what this is') }
    ],
    large
  }
}
