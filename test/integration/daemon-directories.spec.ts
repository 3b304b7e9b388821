/** One real daemon and its socket: folders in, paths and listings out. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64, http, MIB, rejection, writeBig } from './daemon-support.ts'

describe('directories over the socket of a daemon', () => {
  let daemon: DaemonProcess
  let root: string
  const at = (name: string): string => join(daemon.home, name)
  const call: DaemonProcess['client']['call'] = async (method, params, options) => await daemon.client.call(method, params, options)

  before(async () => {
    daemon = await DaemonProcess.start()
    await mkdir(at('tree/sub/deep'), { recursive: true })
    await mkdir(at('tree/hollow'))
    await writeFile(at('tree/a.txt'), 'alpha')
    await writeFile(at('tree/none'), '')
    await writeFile(at('tree/sub/deep/ünï çødé.txt'), 'umlauts')
    await writeBig(at('tree/sub/two.bin'), 2, 3)
    await symlink('/etc/passwd', at('tree/link'))
    const put = await call('content.put', { path: at('tree'), name: 'tree' })
    root = put.cid
    assert.deepEqual(put.skipped, ['link'])
    assert.equal(put.size, 5 + 7 + 2 * MIB)
    assert.equal('sha256' in put, false)
  })

  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  it('lists entries with names, addresses, types and sizes', async () => {
    const { entries } = await call('content.ls', { content: root })
    assert.deepEqual(
      entries.map(({ name, type }) => [name, type]),
      [
        ['a.txt', 'file'],
        ['hollow', 'directory'],
        ['none', 'file'],
        ['sub', 'directory']
      ]
    )
    assert.deepEqual(
      entries.map(({ name, size }) => [name, size]).filter(([name]) => name === 'a.txt' || name === 'none'),
      [
        ['a.txt', 5],
        ['none', 0]
      ]
    )
    const sub = await call('content.ls', { content: `/ipfs/${root}/sub` })
    assert.deepEqual(sub.entries.map(({ name, type, size }) => [name, type, size]).at(-1), ['two.bin', 'file', 2 * MIB])
  })

  it('counts the blocks of a directory exactly', async () => {
    const stat = await call('content.stat', { content: root })
    assert.equal(stat.blocks, stat.localBlocks)
    assert.equal('sha256' in stat, false)
  })

  it('follows paths in every method that reads, also over HTTP', async () => {
    const content = `/ipfs/${root}/sub/deep/ünï çødé.txt`
    assert.equal((await call('content.get', { content })).data, base64('umlauts'))
    assert.equal((await call('content.get', { content: `kith://${root}/a.txt` })).data, base64('alpha'))
    assert.deepEqual([(await call('content.stat', { content })).size, await call('content.has', { content })], [7, { local: true }])
    const overHttp = await http(daemon, 'GET', `/content/${root}/sub/deep/${encodeURIComponent('ünï çødé.txt')}`)
    assert.deepEqual([overHttp.status, overHttp.body.toString()], [200, 'umlauts'])
    assert.equal((await call('content.privacy', { content })).class, 'private')
  })

  it('says which part of a path does not exist', async () => {
    const error = await rejection(call('content.get', { content: `/ipfs/${root}/sub/nothing` }))
    assert.deepEqual([error.code, error.data['segment']], ['NOT_FOUND', 'nothing'])
    assert.equal((await rejection(call('content.get', { content: `/ipfs/${root}/a.txt/below` }))).code, 'NOT_FOUND')
    assert.deepEqual(await call('content.has', { content: `/ipfs/${root}/nothing` }), { local: false })
  })

  it('answers IS_DIRECTORY without a path, and writes the tree with one', async () => {
    const error = await rejection(call('content.get', { content: root }))
    assert.deepEqual([error.kind.rpc, error.data['code']], [-32010, 'IS_DIRECTORY'])
    assert.equal((await http(daemon, 'GET', `/content/${root}`)).status, 409)
    const got = await call('content.get', { content: root, path: at('out') })
    assert.deepEqual([got.path, got.size], [at('out'), 5 + 7 + 2 * MIB])
    assert.deepEqual((await readdir(at('out'), { recursive: true })).toSorted(), [
      'a.txt',
      'hollow',
      'none',
      'sub',
      'sub/deep',
      'sub/deep/ünï çødé.txt',
      'sub/two.bin'
    ])
    assert.deepEqual(await readFile(at('out/sub/two.bin')), await readFile(at('tree/sub/two.bin')))
  })

  it('overwrites nothing', async () => {
    await writeFile(at('mine'), 'keep me')
    for (const content of [root, `/ipfs/${root}/a.txt`]) {
      const error = await rejection(call('content.get', { content, path: at('mine') }))
      assert.deepEqual([error.code, error.kind.rpc], ['CONFLICT', -32010])
    }
    await symlink(at('elsewhere'), at('dangling'))
    assert.equal((await rejection(call('content.get', { content: `/ipfs/${root}/a.txt`, path: at('dangling') }))).code, 'CONFLICT')
    assert.equal(await readFile(at('mine'), 'utf8'), 'keep me')
  })

  it('gives a tree of entries the address of the same folder', async () => {
    const two = await readFile(at('tree/sub/two.bin'))
    const put = await call('content.put', {
      entries: [
        { path: 'sub/deep/ünï çødé.txt', data: base64('umlauts') },
        { path: 'a.txt', data: base64('alpha') },
        { path: 'none', data: '' },
        { path: 'sub/two.bin', file: at('tree/sub/two.bin') }
      ]
    })
    assert.equal(put.size, 5 + 7 + two.byteLength)
    assert.deepEqual(
      (await call('content.ls', { content: `/ipfs/${put.cid}/sub` })).entries,
      (await call('content.ls', { content: `/ipfs/${root}/sub` })).entries
    )
  })

  it('shards a directory whose block would pass 262,144 bytes, and reads it back', async () => {
    const names = Array.from({ length: 6000 }, (_, index) => `entry-${index.toString().padStart(6, '0')}`)
    const { cid, size } = await call('content.put', { entries: names.map(name => ({ path: name, data: base64(name) })) })
    assert.equal(size, names.join('').length)
    const { entries } = await call('content.ls', { content: cid })
    assert.deepEqual(entries.map(({ name }) => name).toSorted(), names)
    assert.equal((await call('content.get', { content: `/ipfs/${cid}/entry-004711` })).data, base64('entry-004711'))
    const stat = await call('content.stat', { content: cid })
    assert.equal(stat.blocks > names.length + 1, true, 'more nodes than one: it is sharded')
    assert.equal(stat.localBlocks, stat.blocks)
  })

  it('takes an empty folder', async () => {
    await mkdir(at('empty'))
    const put = await call('content.put', { path: at('empty') })
    assert.deepEqual([put.cid, put.size, put.blocks], ['bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354', 0, 1])
    assert.deepEqual(await call('content.ls', { content: put.cid }), { entries: [] })
  })
})
