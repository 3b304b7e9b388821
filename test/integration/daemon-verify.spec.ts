/** Damage on the disk of real daemons: found, set aside, fetched again, and never handed out. */
import assert from 'node:assert/strict'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { RAW_CODEC } from '../../src/model/content-id.ts'
import type { Realm } from '../../src/model/privacy.ts'
import { distinctBytes, fileDag } from '../support/dag-builder.ts'
import { base64, MIB, rejection, sha256Hex } from './daemon-support.ts'

/** Turns one bit of the stored copy of these bytes. */
async function flipBit(home: string, realm: Realm, bytes: Uint8Array): Promise<void> {
  const folder = join(home, 'store', realm, 'segments')
  for (const name of await readdir(folder)) {
    await using file = await open(join(folder, name), 'r+')
    const at = (await file.readFile()).indexOf(bytes)
    if (at < 0) continue
    const byte = bytes[100] ?? 0
    await file.write(Uint8Array.of(byte ^ 1), 0, 1, at + 100)
    return
  }
  throw new Error(`no segment of realm ${realm} holds the block`)
}

describe('a daemon whose disk turned a bit', () => {
  let source: DaemonProcess
  let home: string
  let daemon: DaemonProcess
  let seed = 100
  const connect = async (): Promise<void> => {
    await daemon.client.call('peers.connect', { address: source.address })
  }

  before(async () => {
    source = await DaemonProcess.start()
  })
  after(async () => {
    await source[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'kith-verify-'))
    daemon = await DaemonProcess.start({ home })
  })
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    await rm(home, { recursive: true, force: true })
  })

  const conditions = async (): Promise<string[]> => (await daemon.client.call('daemon.status', {})).health.map(({ code }) => code)

  /** @param meanwhile what happens to the home */
  async function restart(meanwhile = async (): Promise<void> => {}): Promise<void> {
    await daemon.client.call('daemon.shutdown', {})
    await daemon.ended()
    await meanwhile()
    daemon = await DaemonProcess.start({ home })
  }

  /** A public file that `source` has. */
  async function publish(): Promise<{ cid: string; bytes: Uint8Array; leaves: [CID, Uint8Array][]; blocks: number }> {
    const bytes = distinctBytes(3 * MIB, ++seed)
    const { cid } = await source.client.call('content.put', { data: base64(bytes), privacy: 'public' })
    const dag = await fileDag(bytes)
    const leaves = [...dag.blocks.values()]
      .filter(block => block.cid.code === RAW_CODEC)
      .map((block): [CID, Uint8Array] => [block.cid, block.bytes])
    return { cid, bytes, leaves, blocks: dag.blocks.size }
  }

  it('while it ran hands out the right bytes, from a peer that has them', async () => {
    await connect()
    const { cid, bytes, leaves } = await publish()
    await daemon.client.call('content.get', { content: cid })
    const [, leaf] = leaves[1] ?? []
    assert.ok(leaf !== undefined)
    await flipBit(home, 'cache', leaf)
    const got = await daemon.client.call('content.get', { content: cid })
    assert.deepEqual([got.sha256, got.data], [sha256Hex(bytes), base64(bytes)])
    assert.ok(daemon.log.some(line => line.includes('a stored block is corrupt')))
    const { corrupt, missing } = await daemon.client.call('content.verify', {})
    assert.deepEqual([corrupt, missing], [[], []], 'it was fetched again and stored')
    assert.deepEqual(await conditions(), [], 'and so the condition is over')
  })

  it('while it was down finds it by verify, tells it apart from what is missing, and repairs it from a peer', async () => {
    await connect()
    const { cid, bytes, leaves, blocks } = await publish()
    await daemon.client.call('content.get', { content: cid })
    const [bad, leaf] = leaves[2] ?? []
    assert.ok(bad !== undefined && leaf !== undefined)
    await restart(async () => await flipBit(home, 'cache', leaf))
    const verify = async (repair: boolean) => await daemon.client.call('content.verify', { content: cid, repair })
    assert.deepEqual(await daemon.client.call('content.verify', {}), {
      checkedBlocks: blocks,
      corrupt: [bad.toString()],
      missing: [],
      repaired: 0
    })
    assert.deepEqual(await verify(false), { checkedBlocks: blocks - 1, corrupt: [], missing: [bad.toString()], repaired: 0 })
    assert.equal((await verify(true)).repaired, 0, 'nobody is there to ask')
    assert.deepEqual(await conditions(), ['CORRUPT_BLOCKS'])
    await restart()
    assert.deepEqual(await conditions(), ['CORRUPT_BLOCKS'], 'a restart mends nothing')
    await connect()
    assert.deepEqual(await verify(true), { checkedBlocks: blocks - 1, corrupt: [], missing: [bad.toString()], repaired: 1 })
    assert.deepEqual(await verify(true), { checkedBlocks: blocks, corrupt: [], missing: [], repaired: 0 })
    assert.deepEqual(await conditions(), [])
    assert.equal((await daemon.client.call('content.get', { content: cid })).data, base64(bytes))
  })

  it('and lost a whole file of the store says which, what it held and what to do, and gets it again from a peer', async () => {
    const { cid, bytes, blocks } = await publish()
    await connect()
    await daemon.client.call('content.get', { content: cid })
    await restart(async () => await rm(join(home, 'store', 'cache', 'segments', '000001.seg')))
    const said = daemon.log.find(line => line.includes('segment files of the store are missing'))
    assert.match(said ?? '', /000001\.seg/)
    const { health, store } = await daemon.client.call('daemon.status', {})
    const [{ code, severity, title } = { code: '', severity: '', title: '' }] = health
    assert.deepEqual([code, severity, store.cache.blocks], ['STORE_FILES_LOST', 'error', 0])
    assert.ok(title.includes(`store/cache/segments/000001.seg is missing (${blocks} blocks)`), title)
    assert.match(title, /backup.*kith verify --repair/)
    assert.equal((await daemon.client.call('content.verify', {})).missing.length, 1, 'of what cannot be walked the root is missing')
    assert.deepEqual(await conditions(), ['STORE_FILES_LOST'])
    await connect()
    assert.equal((await daemon.client.call('content.get', { content: cid })).data, base64(bytes))
    assert.deepEqual(await daemon.client.call('content.verify', {}), { checkedBlocks: blocks, corrupt: [], missing: [], repaired: 0 })
    assert.deepEqual(await conditions(), [])
    await restart()
    assert.deepEqual(await conditions(), [])
  })

  it('in public content of its own repairs it in the realm it serves to others', async () => {
    await connect()
    const { cid, bytes, leaves } = await publish()
    await daemon.client.call('content.put', { data: base64(bytes), privacy: 'public' })
    const [bad, leaf] = leaves[0] ?? []
    assert.ok(bad !== undefined && leaf !== undefined)
    await flipBit(home, 'public', leaf)
    const result = await daemon.client.call('content.verify', { repair: true })
    assert.deepEqual([result.corrupt, result.missing, result.repaired], [[bad.toString()], [], 1])
    await using reader = await DaemonProcess.start()
    await reader.client.call('peers.connect', { address: daemon.address })
    assert.equal((await reader.client.call('content.get', { content: cid })).data, base64(bytes))
  })

  it('in private content says so, asks nobody, and takes the content anew when it is put again', async () => {
    await connect()
    const bytes = distinctBytes(2 * MIB, ++seed)
    const { cid } = await daemon.client.call('content.put', { data: base64(bytes) })
    const dag = await fileDag(bytes)
    const bad = [...dag.blocks.values()].find(block => block.cid.code === RAW_CODEC)
    assert.ok(bad !== undefined)
    await flipBit(home, 'own', bad.bytes)
    assert.equal((await rejection(daemon.client.call('content.get', { content: cid }))).code, 'INTEGRITY')
    const result = await daemon.client.call('content.verify', { content: cid, repair: true })
    assert.deepEqual([result.missing, result.repaired], [[bad.cid.toString()], 0])
    await daemon.client.call('content.put', { data: base64(bytes) })
    assert.equal((await daemon.client.call('content.get', { content: cid })).data, base64(bytes))
    assert.deepEqual((await daemon.client.call('content.verify', {})).missing, [])
  })
})
