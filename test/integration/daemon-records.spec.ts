/** One real daemon and its socket: classes, pins, removal, lists, and what a caller may get wrong. */
import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { base64, rejection, writeBig } from './daemon-support.ts'

describe('records over the socket of a daemon', () => {
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

  describe('privacy, pins and removal', () => {
    it('keeps what is public public, and makes nothing private public by a put', async () => {
      const open = await call('content.put', { data: base64('for all'), privacy: 'public' })
      assert.equal(open.uri, `ipfs://${open.cid}`)
      assert.equal((await call('content.put', { data: base64('for all') })).privacy, 'public')
      const already = await rejection(call('content.put', { data: base64('for all'), privacy: 'private' }))
      assert.deepEqual([already.code, already.kind.rpc], ['ALREADY_PUBLIC', -32007])
      const closed = await call('content.put', { data: base64('for me') })
      const conflict = await rejection(call('content.put', { data: base64('for me'), privacy: 'public' }))
      assert.equal(conflict.code, 'CONFLICT')
      assert.match(conflict.message, /content\.publish/)
      assert.deepEqual(await call('content.privacy', { content: open.cid }), {
        public: true,
        class: 'public',
        reason: 'local-record',
        toldTo: []
      })
      assert.deepEqual((({ class: cls, reason }) => [cls, reason])(await call('content.privacy', { content: `ipfs://${closed.cid}` })), [
        'private',
        'local-record'
      ])
    })

    it('tells the class of what it does not know by how it is addressed', async () => {
      const cid = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
      const classOf = async (content: string): Promise<unknown[]> =>
        (({ class: cls, reason }) => [cls, reason])(await call('content.privacy', { content }))
      assert.deepEqual(await classOf(cid), ['public', 'cid'])
      assert.deepEqual(await classOf(`ipfs://${cid}`), ['public', 'address'])
      assert.deepEqual(await classOf(`kith://${cid}`), ['private', 'address'])
      assert.deepEqual(await classOf('ab'.repeat(32)), ['private', 'unknown-hash'])
    })

    it('removes a pinned content only by force; then it is as if it had never been here', async () => {
      const bytes = Buffer.from('to be forgotten')
      const { cid, sha256 = '' } = await call('content.put', { data: base64(bytes) })
      const refusal = await rejection(call('content.rm', { content: cid }))
      assert.equal(refusal.code, 'CONFLICT')
      assert.equal((await call('content.get', { content: cid })).data, base64(bytes))
      assert.deepEqual(await call('content.rm', { content: cid, force: true }), { removed: true })
      assert.deepEqual(await call('content.has', { content: cid }), { local: false })
      for (const content of [cid, sha256]) {
        assert.equal((await rejection(call('content.stat', { content }))).code, 'NOT_FOUND')
        assert.equal((await rejection(call('content.get', { content }))).code, 'NOT_FOUND')
      }
      assert.deepEqual(await call('content.rm', { content: cid }), { removed: false })
      assert.deepEqual(
        (({ class: cls, reason }) => [cls, reason])(await call('content.privacy', { content: cid })),
        ['private', 'local-record'],
        'what was private is remembered'
      )
    })

    it('removes without force what was put without a pin', async () => {
      const { cid, pinned } = await call('content.put', { data: base64('loose'), pin: false })
      assert.equal(pinned, false)
      assert.deepEqual(await call('content.rm', { content: cid }), { removed: true })
    })

    it('removes a root, never a directory by the path of something in it', async () => {
      const put = await call('content.put', {
        entries: [
          { path: 'x', data: base64('x of this tree') },
          { path: 'y', data: base64('y of this tree') }
        ]
      })
      const error = await rejection(call('content.rm', { content: `/ipfs/${put.cid}/x`, force: true }))
      assert.equal(error.code, 'INVALID_PARAMS')
      assert.equal((await call('content.get', { content: `/ipfs/${put.cid}/y` })).data, base64('y of this tree'))
    })

    it('keeps the blocks that another content still needs', async () => {
      await writeBig(at('shared.bin'), 3, 9)
      const file = await call('content.put', { path: at('shared.bin') })
      const tree = await call('content.put', { entries: [{ path: 'shared.bin', file: at('shared.bin') }] })
      assert.deepEqual(await call('content.rm', { content: tree.cid, force: true }), { removed: true })
      const stat = await call('content.stat', { content: file.cid })
      assert.equal(stat.localBlocks, stat.blocks)
    })

    it('gives the space of a removed content back', async () => {
      await writeBig(at('gone.bin'), 4, 11)
      const before = (await call('daemon.status', {})).store['own']
      const { cid } = await call('content.put', { path: at('gone.bin') })
      await call('content.rm', { content: cid, force: true })
      assert.deepEqual((await call('daemon.status', {})).store['own'], before)
    })
  })

  describe('lists', () => {
    it('pages through everything once, oldest first, and filters', async () => {
      const cids: string[] = []
      for (let index = 0; index < 7; index++)
        cids.push(
          (await call('content.put', { data: base64(`listed ${index}`), type: 'listing', privacy: index % 2 === 0 ? 'public' : 'private' }))
            .cid
        )
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await call('content.list', { limit: 2, type: 'listing', ...(cursor === undefined ? {} : { cursor }) })
        assert.equal(page.items.length <= 2, true)
        seen.push(...page.items.map(({ cid }) => cid))
        cursor = page.cursor
      } while (cursor !== undefined)
      assert.deepEqual(seen.toSorted(), cids.toSorted())
      const open = await call('content.list', { type: 'listing', privacy: 'public' })
      assert.deepEqual(
        open.items.map(({ cid }) => cid),
        cids.filter((_, index) => index % 2 === 0)
      )
      assert.equal((await rejection(call('content.list', { cursor: 'made up' }))).kind.rpc, -32602)
      assert.equal((await rejection(call('content.list', { limit: 1001 }))).kind.rpc, -32602)
    })
  })

  describe('what a caller may get wrong', () => {
    it('names the nearest parameter for an unknown one', async () => {
      const error = await rejection(daemon.client.request('content.get', { contnet: 'x' }))
      assert.deepEqual([error.kind.rpc, error.data['nearest']], [-32602, 'content'])
    })

    for (const sources of [['peer', 'peer'], ['gatewya'], ['local'], ['proxy']]) {
      it(`refuses ${JSON.stringify(sources)} as preferredSources`, async () => {
        assert.equal(
          (await rejection(daemon.client.request('content.get', { content: 'bafkqaaa', preferredSources: sources }))).kind.rpc,
          -32602
        )
      })
    }

    for (const params of [{ ttl: 0 }, { ttl: 301 }, { ttl: 1.5 }, { hops: 2 }, { deadline: 0 }, { offset: -1 }, { path: 'relative' }]) {
      it(`refuses ${JSON.stringify(params)}`, async () => {
        assert.equal((await rejection(daemon.client.request('content.get', { content: 'bafkqaaa', ...params }))).kind.rpc, -32602)
      })
    }

    it('says NOT_BUILT for methods and parameters of later versions', async () => {
      const calls: [string, object][] = [
        ['content.publish', { content: 'bafkqaaa' }],
        ['pin.add', {}],
        ['gc.run', {}],
        ['swarm.list', {}],
        ['content.put', { data: '', recipients: [] }],
        ['content.put', { data: '', privacy: 'restricted' }]
      ]
      for (const [method, params] of calls) {
        const error = await rejection(daemon.client.request(method, params))
        assert.deepEqual([error.kind.rpc, error.data['code']], [-32009, 'NOT_BUILT'], method)
      }
    })

    it('refuses to put what is neither file nor folder, what does not exist, and two things at once', async () => {
      await symlink('/etc/passwd', at('link'))
      for (const params of [
        { path: at('link') },
        { path: at('no such file') },
        { path: '/dev/null' },
        { data: '', path: at('a') },
        {},
        { data: 'not base64!' },
        { entries: [{ path: '../x', data: '' }] },
        {
          entries: [
            { path: 'a', data: '' },
            { path: 'a/b', data: '' }
          ]
        },
        {
          entries: [
            { path: 'a/b', data: '' },
            { path: 'a', data: '' }
          ]
        }
      ]) {
        assert.equal((await rejection(daemon.client.request('content.put', params))).kind.rpc, -32602, JSON.stringify(params))
      }
    })
  })
})
