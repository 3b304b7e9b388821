/**
 * DAGs that no honest program makes, from a gateway and from a peer, to a real daemon. (A DAG cannot hold itself: an
 * address is the hash of what it names. Names can occur twice, and trees can unfold without end.)
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { DAG_PB_CODEC, IDENTITY_CODE, RAW_CODEC, rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { distinctBytes } from '../support/dag-builder.ts'
import { bomb, directoryNode, fileNode, leaf, node, shardNode, type Child } from '../support/dag-nodes.ts'
import { startTrustlessGateway } from '../support/trustless-gateway.ts'
import { assertClean, unharmed } from './bad-input-support.ts'
import { MIB, rejection } from './daemon-support.ts'
import { addressOf } from './exchange-support.ts'
import { startHostilePeer, type RawBlock } from './hostile-peer.ts'

/** Root first. */
type BadDag = readonly RawBlock[]

interface Case {
  readonly name: string
  readonly dag: () => BadDag
  /** How `content.get` with a path fails; the second, where a peer's answer ends differently. */
  readonly codes: readonly ErrorCode[]
  /** The content is fine in itself and only its way onto the disk is closed: its record stays. */
  readonly isRecorded?: boolean
}

const small = leaf('small')
const inFolder = (child: Child): BadDag => [directoryNode([child]), small]
const named = (name: string): BadDag => inFolder({ cid: small.cid, name, size: 5 })

function chain(length: number, make: (child: Child) => RawBlock, first: RawBlock): BadDag {
  const blocks = [first]
  for (let depth = 1; depth < length; depth++) blocks.push(make({ cid: (blocks.at(-1) ?? first).cid, name: 'd' }))
  return blocks.toReversed()
}

/** A file of one leaf; `claim` is the size its node gives for it. */
const claiming = (claim: number): BadDag => [fileNode([{ cid: small.cid, size: claim }]), small]

function identity(codec: number, bytes: Uint8Array): CID {
  return CID.createV1(codec, createDigest(IDENTITY_CODE, bytes))
}

const CASES: readonly Case[] = [
  {
    name: 'a chain 20,000 deep',
    dag: () => chain(20_000, child => directoryNode([child]), directoryNode([])),
    codes: ['INTEGRITY']
  },
  { name: 'a leaf that is smaller than its parent says', dag: () => claiming(6), codes: ['INTEGRITY'] },
  { name: 'a leaf that is larger than its parent says', dag: () => claiming(4), codes: ['INTEGRITY'] },
  { name: 'a size beyond all numbers', dag: () => claiming(Number.MAX_SAFE_INTEGER + 1), codes: ['INTEGRITY'] },
  ...['../../etc/passwd', '../escaped', 'a/b', '..', '', 'nul\0', 'bell\u0007', 'a\\b', '\u202ecod.exe'].map((name): Case => ({
    name: `a link named ${JSON.stringify(name)}`,
    dag: () => named(name),
    codes: ['INTEGRITY']
  })),
  {
    name: 'a leaf above 2 MiB',
    dag: () => {
      const bytes = distinctBytes(2 * MIB + 1)
      const cid = rawCid(sha256(bytes))
      return [fileNode([{ cid, size: bytes.byteLength }]), { cid, bytes }]
    },
    codes: ['INTEGRITY', 'TIMEOUT']
  },
  {
    name: 'an identity address of 129 bytes',
    dag: () => inFolder({ cid: identity(RAW_CODEC, new Uint8Array(129)), name: 'long' }),
    codes: ['INTEGRITY']
  },
  {
    name: 'an identity node that is none',
    dag: () => inFolder({ cid: identity(DAG_PB_CODEC, new Uint8Array(20).fill(0xff)), name: 'odd' }),
    codes: ['INTEGRITY']
  },
  {
    name: 'a sharded directory ten shards deep',
    dag: () => [...chain(10, ({ cid }) => shardNode([{ cid, name: '00' }]), shardNode([{ cid: small.cid, name: '00file' }])), small],
    codes: ['INTEGRITY']
  },
  { name: 'a shard with a fan-out of 24', dag: () => [shardNode([{ cid: small.cid, name: '00x' }], 24n), small], codes: ['INTEGRITY'] },
  {
    name: 'a shard with a fan-out of a million',
    dag: () => [shardNode([{ cid: small.cid, name: '00000x' }], 1_048_576n), small],
    codes: ['INTEGRITY']
  },
  { name: 'a shard below which there is none', dag: () => [shardNode([{ cid: small.cid, name: '00' }]), small], codes: ['INTEGRITY'] },
  {
    name: 'a file whose links have names',
    dag: () => [node([{ cid: small.cid, name: 'x' }], new UnixFS({ type: 'file', blockSizes: [5n] }).marshal()), small],
    codes: ['INTEGRITY']
  },
  {
    name: 'a file with fewer sizes than links',
    dag: () => [node([{ cid: small.cid }], new UnixFS({ type: 'file' }).marshal()), small],
    codes: ['INTEGRITY']
  },
  {
    name: 'a node that is none',
    dag: () => {
      const bytes = distinctBytes(500)
      return [{ cid: CID.createV1(DAG_PB_CODEC, createDigest(0x12, sha256(bytes))), bytes }]
    },
    codes: ['INTEGRITY']
  },
  {
    name: 'a symbolic link as the root',
    dag: () => [node([], new UnixFS({ type: 'symlink', data: Buffer.from('/etc/passwd') }).marshal())],
    codes: ['INVALID_CONTENT']
  },
  {
    name: 'the same name twice',
    dag: () => [
      directoryNode([
        { cid: small.cid, name: 'a', size: 5 },
        { cid: leaf('other').cid, name: 'a', size: 5 }
      ]),
      small,
      leaf('other')
    ],
    codes: ['INTEGRITY'],
    isRecorded: true
  }
]

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
        await daemon.client.call('peers.connect', { address: addressOf(peer.host) })
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
        await unharmed(daemon, async () => await daemon.client.call('content.get', { content, path, ttl: 5 }), { code: codes })
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
