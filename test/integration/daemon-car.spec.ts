/** CAR files through real daemons: out of one, into another, and everything a CAR can be that is none. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CarBufferReader } from '@ipld/car'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { carBlock, carHeader } from '../../src/dag/car.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { distinctBytes, fileDag } from '../support/dag-builder.ts'
import { bomb, directoryNode, leaf, symlinkNode } from '../support/dag-nodes.ts'
import { unharmed } from './bad-input-support.ts'
import { base64, hashOfFile, MIB, rejection, sha256Hex, startPair, writeBig } from './daemon-support.ts'

const GATEWAYS = 'gateways=[{url: "https://ipfs.example"}, {url: "https://{cid}.ipfs.example"}]'

describe('CAR files of a daemon', () => {
  let from: DaemonProcess
  let to: DaemonProcess
  const at = (name: string): string => join(from.home, name)

  before(async () => {
    ;[from, to] = await Promise.all([DaemonProcess.start({ set: [GATEWAYS] }), DaemonProcess.start()])
  })
  after(async () => {
    await Promise.all([from[Symbol.asyncDispose](), to[Symbol.asyncDispose]()])
  })

  it('carry a private file from one daemon to another that never meets it', async () => {
    const sha256 = await writeBig(at('big.bin'), 40)
    const put = await from.client.call('content.put', { path: at('big.bin'), contentType: 'video/mp4' })
    const exported = await from.client.call('content.export', { content: put.cid, path: at('big.car') })
    assert.deepEqual([exported.roots, exported.blocks], [[put.cid], put.blocks])
    const file = await readFile(at('big.car'))
    assert.equal(exported.bytes, file.byteLength)
    assert.equal(CarBufferReader.fromBytes(file).blocks().length, put.blocks)
    const imported = await to.client.call('content.import', { path: at('big.car') })
    assert.deepEqual([imported.roots, imported.blocks], [[put.cid], put.blocks])
    const stat = await to.client.call('content.stat', { content: put.cid })
    assert.deepEqual([stat.sha256, stat.size, stat.privacy, stat.pinned, stat.localBlocks], [sha256, 40 * MIB, 'private', true, put.blocks])
    await to.client.call('content.get', { content: put.cid, path: at('back.bin') })
    assert.equal(await hashOfFile(at('back.bin')), sha256)
    assert.equal((await rejection(from.client.call('content.export', { content: put.cid, path: at('big.car') }))).code, 'CONFLICT')
  })

  it('carry a directory, and what a peer has', async () => {
    await using pair = await startPair()
    const entries = [1, 2].map(seed => ({ path: `folder/${seed}.bin`, data: base64(distinctBytes(10_000, seed)) }))
    const { cid } = await pair.a.client.call('content.put', { entries, privacy: 'public' })
    const path = join(pair.b.home, 'folder.car')
    const exported = await pair.b.client.call('content.export', { content: cid, path })
    assert.deepEqual([exported.roots, exported.blocks], [[cid], 4])
    await to.client.call('content.import', { path, privacy: 'public' })
    const got = await to.client.call('content.get', { content: `/ipfs/${cid}/folder/2.bin` })
    assert.deepEqual([got.data, got.source.stage], [entries[1]?.data, 'local'])
    assert.equal((await to.client.call('content.stat', { content: cid })).privacy, 'public')
  })

  it('carry symbolic links, which are told of and left out, and never made', async () => {
    const [a, link] = [leaf('beside a link'), symlinkNode('/etc/passwd')]
    const root = directoryNode([
      { name: 'a.txt', cid: a.cid, size: a.bytes.byteLength },
      { name: 'passwd', cid: link.cid }
    ])
    await writeFile(
      at('links.car'),
      Buffer.concat([carHeader([root.cid]), ...[root, a, link].flatMap(({ cid, bytes }) => carBlock(cid, bytes))])
    )
    const content = root.cid.toString()
    await to.client.call('content.import', { path: at('links.car') })
    const { entries } = await to.client.call('content.ls', { content })
    assert.deepEqual(
      entries.map(({ name, type, size }) => [name, type, size]),
      [
        ['a.txt', 'file', a.bytes.byteLength],
        ['passwd', 'symlink', 0]
      ]
    )
    const got = await to.client.call('content.get', { content, path: at('links') })
    assert.deepEqual([got.skipped, await readdir(at('links'))], [['passwd'], ['a.txt']])
    assert.equal((await rejection(to.client.call('content.get', { content: `/ipfs/${content}/passwd` }))).code, 'INVALID_CONTENT')
  })

  it('of version 2 are read', async () => {
    const dag = await fileDag(distinctBytes(2 * MIB, 77))
    const inner = Buffer.concat([carHeader([dag.root]), ...[...dag.blocks.values()].flatMap(({ cid, bytes }) => carBlock(cid, bytes))])
    const fixed = Buffer.alloc(40)
    fixed.writeBigUInt64LE(51n, 16)
    fixed.writeBigUInt64LE(BigInt(inner.byteLength), 24)
    await writeFile(at('v2.car'), Buffer.concat([Buffer.from('0aa16776657273696f6e02', 'hex'), fixed, inner, Buffer.from('an index')]))
    assert.deepEqual((await to.client.call('content.import', { path: at('v2.car') })).roots, [dag.root.toString()])
    assert.equal((await to.client.call('content.stat', { content: dag.root.toString() })).sha256, sha256Hex(distinctBytes(2 * MIB, 77)))
  })

  describe('that are none', () => {
    const file = (...parts: readonly (Uint8Array | readonly Uint8Array[])[]): Buffer => Buffer.concat(parts.flat())
    const x = leaf('x')
    const chain = [directoryNode([])]
    for (let depth = 1; depth < 20_000; depth++) chain.push(directoryNode([{ cid: chain.at(-1)?.cid ?? x.cid, name: 'd' }]))
    const deepest = chain.at(-1) ?? x
    const cases: [what: string, code: ErrorCode, bytes: Uint8Array][] = [
      ['nothing', 'INTEGRITY', Buffer.alloc(0)],
      ['noise', 'INTEGRITY', distinctBytes(5 * MIB)],
      ['a header of 256 MiB', 'INTEGRITY', Buffer.from('ffffff7f', 'hex')],
      ['a block of 256 MiB', 'INTEGRITY', file(carHeader([x.cid]), Buffer.from('ffffff7f', 'hex'))],
      ['half of one', 'INTEGRITY', file(carHeader([x.cid]), carBlock(x.cid, x.bytes)).subarray(0, -1)],
      ['wrong bytes', 'INTEGRITY', file(carHeader([x.cid]), carBlock(x.cid, Buffer.from('y')))],
      ['no block of its root', 'INTEGRITY', file(carHeader([x.cid]), carBlock(leaf('z').cid, leaf('z').bytes))],
      ['no root', 'INVALID_PARAMS', file(carHeader([]), carBlock(x.cid, x.bytes))],
      ['1,001 roots', 'INTEGRITY', file(carHeader(Array.from({ length: 1001 }, () => x.cid)))],
      ['a chain 20,000 deep', 'INTEGRITY', file(carHeader([deepest.cid]), ...chain.map(({ cid, bytes }) => carBlock(cid, bytes)))]
    ]
    for (const [what, code, bytes] of cases) {
      it(`but ${what} are refused with ${code}, and nothing of them stays`, async () => {
        await writeFile(at('bad.car'), bytes)
        const before = (await to.client.call('daemon.status', {})).store.own
        await unharmed(to, async () => await to.client.call('content.import', { path: at('bad.car') }), { code })
        assert.deepEqual((await to.client.call('daemon.status', {})).store.own, before)
      })
    }

    it('but a bomb of five blocks is taken for the five blocks it is, and never unfolded', async () => {
      const { root, blocks } = bomb('file')
      await writeFile(at('bomb.car'), file(carHeader([root]), ...blocks.map(({ cid, bytes }) => carBlock(cid, bytes))))
      const imported = await unharmed(to, async () => await to.client.call('content.import', { path: at('bomb.car') }))
      assert.equal(imported.blocks, 5)
      const exported = await unharmed(
        to,
        async () => await to.client.call('content.export', { content: root.toString(), path: at('bomb.out') })
      )
      assert.equal(exported.blocks, 5)
    })
  })

  it('a link to public content names every gateway; what is private or unknown gets none', async () => {
    const open = await from.client.call('content.put', { data: base64('for all'), privacy: 'public' })
    assert.deepEqual(await from.client.call('content.link', { content: open.cid, filename: 'a b.txt', download: true }), {
      uri: `ipfs://${open.cid}`,
      gateways: [
        `https://ipfs.example/ipfs/${open.cid}?filename=a+b.txt&download=true`,
        `https://${open.cid}.ipfs.example?filename=a+b.txt&download=true`
      ]
    })
    const secret = await from.client.call('content.put', { data: base64('for me') })
    const refusal = await rejection(from.client.call('content.link', { content: secret.cid }))
    assert.equal(refusal.code, 'CONFLICT')
    assert.match(refusal.message, /content\.publish/)
    assert.equal((await rejection(from.client.call('content.link', { content: leaf('never seen').cid.toString() }))).code, 'NOT_FOUND')
  })
})
