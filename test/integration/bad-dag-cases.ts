/** DAGs that no honest program makes, and how a daemon refuses each. */
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { ErrorCode } from '../../src/errors.ts'
import { DAG_PB_CODEC, IDENTITY_CODE, RAW_CODEC, rawCid } from '../../src/model/content-id.ts'
import { sha256 } from '../../src/model/sha256.ts'
import { distinctBytes } from '../support/dag-builder.ts'
import { directoryNode, fileNode, leaf, node, shardBomb, shardNode, wideTree, type Child } from '../support/dag-nodes.ts'
import { MIB } from './daemon-support.ts'
import type { RawBlock } from './hostile-peer.ts'

/** Root first. */
export type BadDag = readonly RawBlock[]

export interface Case {
  readonly name: string
  readonly dag: () => BadDag
  /** How `content.get` with a path fails; the second, where a peer's answer ends differently. */
  readonly codes: readonly ErrorCode[]
  /** The content is fine in itself and only its way onto the disk is closed: its record stays. */
  readonly isRecorded?: boolean
}

export const small = leaf('small')
export const inFolder = (child: Child): BadDag => [directoryNode([child]), small]
const named = (name: string): BadDag => inFolder({ cid: small.cid, name, size: 5 })

function chain(length: number, make: (child: Child) => RawBlock, first: RawBlock): BadDag {
  const blocks = [first]
  for (let depth = 1; depth < length; depth++) blocks.push(make({ cid: (blocks.at(-1) ?? first).cid, name: 'd' }))
  return blocks.toReversed()
}

/** A file of one leaf; `claim` is the size its node gives for it. */
const claiming = (claim: number): BadDag => [fileNode([{ cid: small.cid, size: claim }]), small]

export function identity(codec: number, bytes: Uint8Array): CID {
  return CID.createV1(codec, createDigest(IDENTITY_CODE, bytes))
}

export const CASES: readonly Case[] = [
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
  { name: 'nine shards that unfold into 256^7', dag: shardBomb, codes: ['INTEGRITY'] },
  {
    name: 'a shard with two names at one place',
    dag: () => [
      shardNode([
        { cid: small.cid, name: '00a' },
        { cid: small.cid, name: '00b' }
      ]),
      small
    ],
    codes: ['INTEGRITY']
  },
  {
    name: 'a shard with a name at no place',
    dag: () => [shardNode([{ cid: small.cid, name: 'xyname' }]), small],
    codes: ['INTEGRITY']
  },
  {
    name: 'a directory of 16,000 links to a directory of 16,000',
    dag: wideTree,
    codes: ['INTEGRITY'],
    isRecorded: true
  },
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
    codes: ['INTEGRITY']
  }
]
