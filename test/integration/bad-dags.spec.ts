/**
 * DAGs that no honest program makes, from a gateway and from a peer, to a real daemon. (A DAG cannot hold itself: an
 * address is the hash of what it names. Names can occur twice, and trees can unfold without end.)
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UnixFS } from 'ipfs-unixfs'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { carBlock, carHeader } from '../../src/dag/car.ts'
import { KithError } from '../../src/errors.ts'
import { DAG_PB_CODEC, RAW_CODEC } from '../../src/model/content-id.ts'
import { distinctBytes } from '../support/dag-builder.ts'
import { bomb, fileNode, leaf, node, shardBomb, wideTree } from '../support/dag-nodes.ts'
import { startTrustlessGateway } from '../support/trustless-gateway.ts'
import { CASES, identity, inFolder, small, type BadDag } from './bad-dag-cases.ts'
import { assertClean, unharmed } from './bad-input-support.ts'
import { rejection } from './daemon-support.ts'
import { addressOf } from './exchange-support.ts'
import { startHostilePeer, type RawBlock } from './hostile-peer.ts'

for (const from of ['a gateway', 'a peer'] as const) {
  describe(`bad DAGs from ${from}`, () => {
    const parts = new AsyncDisposableStack()
    let daemon: DaemonProcess
    let put: (block: RawBlock) => void
    let files = 0

    before(async () => {
      if (from === 'a gateway') {
        const gateway = parts.use(await startTrustlessGateway())
        daemon = parts.use(await DaemonProcess.start({ set: [`gateways=[{url: "${gateway.url}"}]`, 'routing.gatewayDelay=0'] }))
        put = ({ cid, bytes }) => {
          gateway.put(cid, bytes)
        }
      } else {
        const peer = parts.use(await startHostilePeer())
        daemon = parts.use(await DaemonProcess.start())
        const { did } = await daemon.client.call('peers.connect', { address: addressOf(peer.host) })
        // A stranger that breaks the protocol once, as one of these does, is asked nothing any more.
        await daemon.client.call('trust.set', { did, level: 50 })
        put = block => {
          peer.put(block)
        }
      }
    })
    after(async () => {
      await parts.disposeAsync()
    })

    /** @returns the address of the root */
    function publish(dag: BadDag): string {
      for (const block of dag) put(block)
      return `ipfs://${dag[0]?.cid.toString() ?? ''}`
    }

    async function isRecorded(content: string): Promise<boolean> {
      const { items } = await daemon.client.call('content.list', {})
      return items.some(({ cid }) => content.endsWith(cid))
    }

    for (const { name, dag, codes, isRecorded: staysRecorded = false } of CASES) {
      it(`end where they are met: ${name}`, async () => {
        const content = publish(dag())
        const path = join(daemon.home, `out-${++files}`)
        // Where the search need not run out, the answer is there long before: only a slow machine comes near.
        const ttl = codes.includes('TIMEOUT') ? 5 : 50
        await unharmed(daemon, async () => await daemon.client.call('content.get', { content, path, ttl }), { code: codes })
        assert.equal(await isRecorded(content), staysRecorded)
        assert.equal(existsSync(join(daemon.home, 'escaped')), false)
        assert.equal(existsSync(join(path, 'file')), false)
      })
    }

    it('do no harm: a file bomb is five blocks, whose content is not unfolded', async () => {
      const { root, blocks } = bomb('file')
      const content = publish([...blocks.filter(({ cid }) => cid.equals(root)), ...blocks])
      const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content }))
      assert.deepEqual([got.size, got.sha256], [174 ** 4, undefined])
      assert.equal((await daemon.client.call('content.stat', { content })).blocks, 5)
    })

    it('do no harm: a directory bomb is five blocks, and is not written out', async () => {
      const { root, blocks } = bomb('directory')
      const content = publish([...blocks.filter(({ cid }) => cid.equals(root)), ...blocks])
      const error = await unharmed(daemon, async () => await daemon.client.call('content.get', { content }), { code: 'IS_DIRECTORY' })
      assert.match(error.message, /directory/)
      assert.equal((await daemon.client.call('content.ls', { content })).entries.length, 174)
    })

    /** Another call, sent at the same time, is answered too. @returns what came first, and what `action` gave */
    async function besides<T>(action: () => Promise<T>): Promise<{ readonly first: string; readonly given: T | KithError }> {
      const running = action().catch((error: unknown) => {
        assert.ok(error instanceof KithError)
        return error
      })
      const other = daemon.client.call('daemon.version', {})
      const first = await Promise.race([running.then(() => 'the action'), other.then(() => 'the other')])
      const [given] = await Promise.all([running, other])
      return { first, given }
    }

    async function carFile(dag: BadDag): Promise<string> {
      const path = join(daemon.home, `dag-${++files}.car`)
      const roots = dag.slice(0, 1).map(({ cid }) => cid)
      await writeFile(path, Buffer.concat([carHeader(roots), ...dag.flatMap(({ cid, bytes }) => carBlock(cid, bytes))]))
      return path
    }

    it('hold nobody up: shards that unfold without end are refused in a list, on a path and in a CAR', async () => {
      const dag = shardBomb()
      const content = publish(dag)
      const path = await carFile(dag)
      const calls: readonly (() => Promise<unknown>)[] = [
        async () => await daemon.client.call('content.ls', { content }),
        async () => await daemon.client.call('content.get', { content: `${content}/missing`, ttl: 50 }),
        async () => await daemon.client.call('content.import', { path })
      ]
      for (const call of calls) {
        const { given } = await unharmed(daemon, async () => await besides(call))
        assert.ok(given instanceof KithError)
        assert.equal(given.code, 'INTEGRITY', given.message)
      }
      assert.equal(await isRecorded(content), false)
    })

    it('hold nobody up: 16,000 links to a directory of 16,000 are listed, with what they all share read once', async () => {
      const dag = wideTree(15_999)
      const content = publish(dag)
      const path = await carFile(dag)
      const imported = await unharmed(
        daemon,
        async () => await besides(async () => await daemon.client.call('content.import', { path, privacy: 'public' }))
      )
      const listed = await besides(async () => await daemon.client.call('content.ls', { content }))
      assert.deepEqual([imported.first, listed.first], ['the other', 'the other'])
      assert.ok(!(listed.given instanceof KithError))
      assert.equal(listed.given.entries.length, 15_999)
      assert.equal((await daemon.client.call('content.stat', { content })).size, 15_999 ** 2)
    })

    it('do no harm: a declared total that is a lie is not believed', async () => {
      const honest = new UnixFS({ type: 'file', blockSizes: [5n] }).marshal()
      const at = honest.lastIndexOf(5, honest.indexOf(0x20) - 1) // the byte after the key of `filesize`
      const lying = honest.with(at, 77)
      assert.notDeepEqual(UnixFS.unmarshal(lying), undefined)
      const content = publish([node([{ cid: small.cid }], lying), small])
      const path = join(daemon.home, 'true-size')
      const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content, path }))
      assert.deepEqual([got.size, await readFile(path, 'utf8')], [5, 'small'])
    })

    it('do no harm: a file in a folder has the size it has, whatever the folder says', async () => {
      for (const size of [0, 1_000_000_000_000]) {
        const content = publish(inFolder({ cid: small.cid, name: `file-${size}`, size }))
        const path = join(daemon.home, `folder-${size}`)
        await unharmed(daemon, async () => await daemon.client.call('content.get', { content, path }))
        assert.equal(await readFile(join(path, `file-${size}`), 'utf8'), 'small')
      }
    })

    it('do no harm: links inside an identity node are followed', async () => {
      const inner = fileNode([{ cid: small.cid, size: 5 }])
      const content = publish(inFolder({ cid: identity(DAG_PB_CODEC, inner.bytes), name: 'inline' }))
      const path = join(daemon.home, 'inline')
      await unharmed(daemon, async () => await daemon.client.call('content.get', { content, path }))
      assert.equal(await readFile(join(path, 'inline'), 'utf8'), 'small')
    })

    it('leave a node that gets good content as before', async () => {
      const bytes = distinctBytes(100)
      const good = leaf(bytes)
      const got = await daemon.client.call('content.get', { content: publish([good]) })
      assert.equal(got.data, Buffer.from(bytes).toString('base64'))
      await assertClean(daemon)
      const error = await rejection(daemon.client.call('content.get', { content: identity(RAW_CODEC, new Uint8Array(129)).toString() }))
      assert.equal(error.code, 'INVALID_CONTENT')
    })
  })
}
