/** One real daemon and its socket: what the contract says of `content.*`. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64, http, MIB, rejection, sevens, sha256Hex, writeBig } from './daemon-support.ts'

describe('content over the socket of a daemon', () => {
  let daemon: DaemonProcess
  let at: (name: string) => string
  const call: DaemonProcess['client']['call'] = async (method, params, options) => await daemon.client.call(method, params, options)

  before(async () => {
    daemon = await DaemonProcess.start()
    at = name => join(daemon.home, name)
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  describe('put and get', () => {
    const vectors: [number, string][] = [
      [0, 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
      [11, 'bafkreigbyewtywnethcrhahbphbwcqlyecrpdyshomjtttzunbh3o74m6e'],
      [MIB, 'bafkreicrwexlqodtfn4gwtkfyzqks5g56odavyeqqt6ssp5g4xpumwa2nq'],
      [MIB + 1, 'bafybeigjlpad4kropgqbvvtp4leb45zzlmlgtwcnswuiq4au36xg6a4ibq'],
      [3 * MIB, 'bafybeihdndb4izktxzkwahg3pwgg4f3ijstijw4522czwyhfl4r4noyliq']
    ]
    for (const [size, cid] of vectors) {
      it(`gives ${size} bytes of value 7 their address, and the bytes back for it`, async () => {
        const put = await call('content.put', { data: base64(sevens(size)) })
        assert.deepEqual(
          [put.cid, put.uri, put.size, put.privacy, put.pinned, put.sha256],
          [cid, `kith://${cid}`, size, 'private', true, sha256Hex(sevens(size))]
        )
        const got = await call('content.get', { content: cid })
        assert.deepEqual([got.size, got.sha256, got.source.stage, got.data], [size, put.sha256, 'local', base64(sevens(size))])
        assert.deepEqual(
          got.attempts.map(({ stage, outcome }) => [stage, outcome]),
          [['local', 'ok']]
        )
      })
    }

    it('takes a file by path and a stream by HTTP PUT, and both have one address', async () => {
      const bytes = Buffer.concat([sevens(5 * MIB), Buffer.from('end')])
      await writeFile(at('five.bin'), bytes)
      const byPath = await call('content.put', { path: at('five.bin'), contentType: 'application/x-five' })
      const byHttp = await http(daemon, 'PUT', '/content?name=five.bin&type=backup', {
        headers: { 'content-type': 'video/mp4' },
        body: bytes
      })
      assert.equal(byHttp.status, 201)
      const result = JSON.parse(byHttp.body.toString()) as { cid: string; newBlocks: number }
      assert.deepEqual([result.cid, result.newBlocks], [byPath.cid, 0])
      const stat = await call('content.stat', { content: byPath.cid })
      assert.deepEqual(
        [stat.name, stat.contentType, stat.type, stat.size, stat.pinned],
        ['five.bin', 'video/mp4', 'backup', bytes.byteLength, true]
      )
      assert.deepEqual([stat.blocks, stat.localBlocks], [byPath.blocks, byPath.blocks])
    })

    it('leaves data out above 4 MiB, and streams the same content over HTTP with its ETag', async () => {
      const put = await call('content.put', { data: base64(sevens(3 * MIB)) })
      await writeBig(at('six.bin'), 6)
      const six = await call('content.put', { path: at('six.bin') })
      const got = await call('content.get', { content: six.cid })
      assert.equal('data' in got, false)
      assert.equal(got.size, 6 * MIB)
      const whole = await http(daemon, 'GET', `/content/${six.cid}`)
      assert.deepEqual([whole.status, whole.headers['etag'], sha256Hex(whole.body)], [200, `"${six.cid}"`, six.sha256])
      assert.equal((await call('content.get', { content: put.cid })).data?.length, base64(sevens(3 * MIB)).length)
    })

    it('gives parts of a file: by offset and length, by HTTP Range, and into a file', async () => {
      await writeBig(at('eight.bin'), 8, 2)
      const { cid } = await call('content.put', { path: at('eight.bin') })
      const file = await readFile(at('eight.bin'))
      const range = { offset: 3 * MIB - 5, length: 11 }
      const want = file.subarray(range.offset, range.offset + range.length)
      assert.equal((await call('content.get', { content: cid, ...range })).data, base64(want))
      const part = await http(daemon, 'GET', `/content/${cid}`, {
        headers: { range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
      })
      assert.deepEqual(
        [part.status, part.headers['content-range']],
        [206, `bytes ${range.offset}-${range.offset + range.length - 1}/${8 * MIB}`]
      )
      assert.deepEqual(part.body, want)
      await call('content.get', { content: cid, path: at('part.bin'), ...range })
      assert.deepEqual(await readFile(at('part.bin')), want)
      assert.equal((await call('content.get', { content: cid, offset: 8 * MIB - 3, length: 100 })).data, base64(file.subarray(-3)))
      assert.equal((await call('content.get', { content: cid, offset: 9 * MIB })).data, '')
      assert.equal((await http(daemon, 'GET', `/content/${cid}`, { headers: { range: `bytes=${9 * MIB}-` } })).status, 416)
    })

    it('takes a content in every form of the contract', async () => {
      const { cid, sha256 = '' } = await call('content.put', { data: base64('forms') })
      const v0 = await call('content.put', { data: base64(sevens(MIB + 1)) })
      const forms = [
        cid,
        `ipfs://${cid}`,
        `kith://${cid}`,
        `/ipfs/${cid}`,
        `sha256:${sha256}`,
        sha256,
        sha256.toUpperCase(),
        { algorithm: 'sha256', value: sha256 }
      ]
      for (const content of forms) assert.equal((await call('content.get', { content })).data, base64('forms'), JSON.stringify(content))
      const old = CID.parse(v0.cid).toV0().toString()
      assert.match(old, /^Qm/)
      assert.equal((await call('content.stat', { content: old })).cid, v0.cid)
    })

    it('reads identity CIDs from themselves', async () => {
      const got = await call('content.get', { content: 'bafkqabtimvwgy3yk' })
      assert.deepEqual(
        [got.data, got.source.stage, got.attempts.filter(({ outcome }) => outcome !== 'ok')],
        [base64('hello\n'), 'local', []]
      )
    })

    const invalid = [
      '',
      'hello',
      'sha256:abc',
      'kith://',
      '/ipfs/',
      'ipns://k51',
      'a'.repeat(63),
      'QmNotACid',
      'bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
      { algorithm: 'md5', value: 'ab' },
      7,
      null,
      ['x'],
      'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku/../x'
    ]
    for (const content of invalid) {
      it(`refuses ${JSON.stringify(content)} as INVALID_CONTENT`, async () => {
        const error = await rejection(daemon.client.request('content.get', { content }))
        assert.deepEqual([error.kind.rpc, error.data['code'], error.data['fault']], [-32602, 'INVALID_CONTENT', 'caller'])
      })
    }

    it('says NOT_FOUND with the attempts, at once, when there is nobody to ask', async () => {
      const content = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
      const error = await rejection(call('content.get', { content }))
      assert.equal(error.code, 'NOT_FOUND')
      assert.equal(Array.isArray(error.data['attempts']), true)
      const overHttp = await http(daemon, 'GET', `/content/${content}`)
      assert.equal(overHttp.status, 404)
      assert.deepEqual(await call('content.has', { content }), { local: false })
      assert.equal((await rejection(call('content.stat', { content }))).code, 'NOT_FOUND')
    })
  })

  it('an identity address needs no storing: it is here, and nothing is recorded of it', async () => {
    const before = (await call('content.list', {})).items.length
    const content = 'bafkqablimvwgy3y' // "hello"
    assert.equal((await call('content.get', { content })).data, base64('hello'))
    assert.deepEqual(await call('content.has', { content }), { local: true })
    assert.equal((await call('content.list', {})).items.length, before)
  })
})

describe('the limits of a daemon', () => {
  it('hold for types and for folders', async () => {
    await using daemon = await DaemonProcess.start({ set: ['limits.allowedTypes=["text/*"]', 'limits.maxFileSize=3000B'] })
    const put = async (params: object): Promise<unknown> =>
      await daemon.client.request('content.put', { contentType: 'text/plain', ...params })
    await put({ data: base64('a') })
    const refusal = await rejection(put({ data: base64('b'), contentType: 'image/png' }))
    assert.equal(refusal.code, 'INVALID_PARAMS')
    assert.match(refusal.message, /limits\.allowedTypes/)
    const entries = [1, 2, 3].map(name => ({ path: `${name}`, data: base64(sevens(1001)) }))
    assert.equal((await rejection(put({ entries }))).code, 'TOO_LARGE')
    assert.equal((await daemon.client.call('content.list', {})).items.length, 1)
  })

  it('say so in its health when the cache is full, and no longer once there is room', async () => {
    await using source = await DaemonProcess.start()
    await using daemon = await DaemonProcess.start({ set: ['cache.maxBytes=3MiB'] })
    await daemon.client.call('peers.connect', { address: source.address })
    const publish = async (size: number): Promise<string> =>
      (await source.client.call('content.put', { data: base64(sevens(size)), privacy: 'public' })).cid
    const isFull = async (): Promise<boolean> =>
      (await daemon.client.call('daemon.status', {})).health.some(({ code }) => code === 'CACHE_FULL')
    const [first, second] = [await publish(MIB), await publish(MIB - 1)]
    await daemon.client.call('content.get', { content: first })
    await writeBig(join(source.home, 'big.bin'), 4, 9)
    const big = await source.client.call('content.put', { path: join(source.home, 'big.bin'), privacy: 'public' })
    assert.equal((await rejection(daemon.client.call('content.get', { content: big.cid }))).code, 'QUOTA_EXCEEDED')
    assert.equal(await isFull(), true)
    await daemon.client.call('content.get', { content: first })
    assert.equal(await isFull(), true, 'what is here needs no room')
    await daemon.client.call('content.rm', { content: first })
    await daemon.client.call('content.get', { content: second })
    assert.equal(await isFull(), false)
  })
})
