import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { KithError } from '../../../src/errors.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { rawCid, SHA2_256_CODE } from '../../../src/model/content-id.ts'
import type { Bytes } from '../../../src/model/units.ts'
import { SourceError, type BlockSource } from '../../../src/ports/block-source.ts'
import type { Run } from '../../../src/retrieval/rung.ts'
import { DagSession, type Want } from '../../../src/retrieval/session.ts'
import { blockCandidate } from '../../../src/retrieval/sources.ts'
import { aloneIn } from '../../support/alone-in.ts'
import { BlockMap, directoryNode, fileNode, leaf } from '../../support/dag-nodes.ts'

type Sent = { readonly cid: CID; readonly bytes: Uint8Array }

const isOutcome =
  (outcome: SourceError['outcome']) =>
  (error: unknown): boolean =>
    error instanceof SourceError && error.outcome === outcome

/** A source whose one answer is what the test says; single blocks are honest. */
class WholeSource implements BlockSource {
  readonly stage = 'gateway'
  readonly concurrency = 4
  readonly singles: string[] = []
  readonly reports: string[] = []
  wholes = 0
  /** What the answer ends with, if not well. */
  end: Error | undefined
  readonly #answer: Iterable<Sent>
  readonly #blocks: BlockMap

  constructor(blocks: readonly VerifiedBlock[], answer: Iterable<Sent> = blocks) {
    this.#blocks = new BlockMap(blocks)
    this.#answer = answer
  }

  unavailable(): undefined {
    return undefined
  }

  report(outcome: string): void {
    this.reports.push(outcome)
  }

  open(): ReturnType<BlockSource['open']> {
    return {
      close: () => {},
      get: async cid => {
        this.singles.push(cid.toString())
        const block = await this.#blocks.get(cid)
        if (block === undefined) throw new SourceError('not-found', 'it does not have it')
        return block.bytes
      },
      dag: async (_root, take) => {
        this.wholes += 1
        for (const { cid, bytes } of this.#answer) await take(cid, bytes)
        if (this.end !== undefined) throw this.end
      }
    }
  }
}

async function open(
  root: CID,
  local: readonly VerifiedBlock[] = [],
  want: Want = { kind: 'all' }
): Promise<{ session: DagSession; store: BlockMap }> {
  const store = new BlockMap(local)
  const session = new DagSession(store, root, want)
  await session.loadLocal()
  return { session, store }
}

/** Lets a source fill a session. @returns verified bytes */
async function fill(session: DagSession, source: BlockSource, signal = new AbortController().signal): Promise<Bytes> {
  let verified = 0
  const run: Run = {
    signal,
    remaining: () => Infinity,
    verified: bytes => {
      verified += bytes
    }
  }
  await blockCandidate(source, session, session.root, aloneIn(session)).run(run)
  return verified
}

const leaves = Array.from({ length: 8 }, (_, index) => leaf(`${index}`.repeat(2000)))
const at = (index: number): VerifiedBlock => leaves[index] ?? leaf('none')
const file = (...children: readonly VerifiedBlock[]): VerifiedBlock => fileNode(children.map(({ cid }) => ({ cid, size: 2000 })))
const left = file(at(0), at(1), at(2), at(3))
const right = file(at(4), at(5), at(6), at(7))
const root = fileNode([left, right].map(({ cid }) => ({ cid, size: 8000 })))
/** As a gateway sends it: depth first. */
const all = [root, left, at(0), at(1), at(2), at(3), right, at(4), at(5), at(6), at(7)]
const total = all.reduce((sum, { bytes }) => sum + bytes.byteLength, 0)
const wrong = ({ cid, bytes }: VerifiedBlock): Sent => ({ cid, bytes: bytes.map(byte => byte ^ 1) })

describe('a whole DAG in one answer', () => {
  it('is taken as it comes, and nothing is asked for singly', async () => {
    const { session, store } = await open(root.cid)
    const source = new WholeSource(all)
    assert.equal(await fill(session, source), total)
    assert.deepEqual([session.isDone, source.wholes, source.singles, store.puts], [true, 1, [], all.length])
  })

  it('may name a block under CIDv0: the multihash counts', async () => {
    const { session } = await open(root.cid)
    const source = new WholeSource(
      all,
      all.map(({ cid, bytes }) => ({
        cid: cid.code === 0x70 ? CID.createV0(createDigest(SHA2_256_CODE, cid.multihash.digest)) : cid,
        bytes
      }))
    )
    await fill(session, source)
    assert.deepEqual([session.isDone, source.singles], [true, []])
  })

  it('may come in another order than that of the walk, as long as parents come first', async () => {
    // The walk names `left` at the root, and so after `folder`; an answer has it inside `folder`.
    const folder = directoryNode([{ cid: left.cid, name: 'again', size: 1000 }])
    const top = directoryNode([
      { cid: folder.cid, name: 'a', size: 1000 },
      { cid: left.cid, name: 'b', size: 1000 }
    ])
    const blocks = [top, folder, left, at(0), at(1), at(2), at(3)]
    const { session, store } = await open(top.cid)
    const source = new WholeSource(blocks)
    await fill(session, source)
    assert.deepEqual([session.isDone, source.singles, store.puts, session.localBytes], [true, [], blocks.length, 0])
  })

  it('is completed by single blocks where it has gaps', async () => {
    const { session } = await open(root.cid)
    const source = new WholeSource(
      all,
      all.filter(({ cid }) => !cid.equals(at(5).cid))
    )
    await fill(session, source)
    assert.deepEqual([session.isDone, source.singles], [true, [at(5).cid.toString()]])
  })

  it('is completed by single blocks of the same source when it breaks off after something has come', async () => {
    const { session } = await open(root.cid)
    const source = new WholeSource(all, all.slice(0, 4))
    source.end = new SourceError('fault', 'the connection broke')
    await fill(session, source)
    assert.deepEqual([session.isDone, source.singles.length], [true, all.length - 4])
  })

  it('ends the run with what the source says when nothing has come', async () => {
    const { session } = await open(root.cid)
    const source = new WholeSource(all, [])
    source.end = new SourceError('not-found', 'it does not have it')
    await assert.rejects(fill(session, source), isOutcome('not-found'))
    assert.deepEqual(source.singles, [])
  })

  it('passes over blocks that come twice, storing them once', async () => {
    const { session, store } = await open(root.cid)
    await fill(session, new WholeSource(all, [...all.slice(0, 5), ...all]))
    assert.deepEqual([session.isDone, store.puts, session.receivedBytes], [true, all.length, total])
  })

  it('calls an answer a fault that repeats itself without end', async () => {
    const { session } = await open(root.cid)
    const source = new WholeSource(
      all,
      (function* () {
        for (;;) yield* all.slice(0, 3)
      })()
    )
    await assert.rejects(fill(session, source), isOutcome('fault'))
    assert.deepEqual(source.singles, [], 'such a source is not asked for more')
  })

  it('calls a block that the content does not name corrupt, and stores nothing of it', async () => {
    const { session, store } = await open(root.cid)
    const source = new WholeSource(all, [...all.slice(0, 3), leaf('foreign'), ...all.slice(3)])
    await assert.rejects(fill(session, source), isOutcome('corrupt'))
    assert.deepEqual([await store.has(leaf('foreign').cid), source.reports], [false, ['corrupt']])
  })

  it('passes over identity blocks, which nobody needs to send', async () => {
    const { session } = await open(root.cid)
    const inline = CID.parse('bafkqaaa')
    await fill(session, new WholeSource(all, [{ cid: inline, bytes: new Uint8Array() }, ...all]))
    assert.equal(session.isDone, true)
  })

  it('calls wrong bytes corrupt, and keeps what was right', async () => {
    const { session, store } = await open(root.cid)
    const source = new WholeSource(all, [...all.slice(0, 3), wrong(at(1)), ...all.slice(4)])
    await assert.rejects(fill(session, source), (error: unknown) => error instanceof KithError && error.code === 'INTEGRITY')
    assert.deepEqual([await store.has(at(1).cid), store.puts, source.reports], [false, 3, ['corrupt']])
    const rest = new WholeSource(all)
    await fill(session, rest)
    assert.equal(session.isDone, true)
  })

  it('is not asked for when half or more is here', async () => {
    const { session } = await open(root.cid, [root, left, at(0), at(1), at(2), at(3), right])
    const source = new WholeSource(all)
    await fill(session, source)
    assert.deepEqual([source.wholes, source.singles.length], [0, 4])
  })

  it('is asked for when less is here, and what was here is not stored again', async () => {
    const { session, store } = await open(root.cid, [root, left, at(0), at(1)])
    const source = new WholeSource(all)
    await fill(session, source)
    assert.deepEqual([source.wholes, source.singles, store.puts], [1, [], all.length - 4])
  })

  it('is asked for neither for one block nor for a part', async () => {
    const wants: [CID, Want][] = [
      [at(0).cid, { kind: 'all' }],
      [root.cid, { kind: 'root' }],
      [root.cid, { kind: 'range', range: { offset: 0, length: 5 } }]
    ]
    for (const [cid, want] of wants) {
      const { session } = await open(cid, [], want)
      const source = new WholeSource(all)
      await fill(session, source)
      assert.deepEqual([session.isDone, source.wholes], [true, 0])
    }
  })

  it('ends when its caller gives up', async () => {
    const { session } = await open(root.cid)
    const controller = new AbortController()
    const reason = new KithError('CANCELLED', 'enough')
    const source = new WholeSource(
      all,
      (function* () {
        yield* all.slice(0, 4)
        controller.abort(reason)
        yield* all.slice(4)
      })()
    )
    await assert.rejects(fill(session, source, controller.signal), reason)
    assert.equal(session.receivedBytes < total, true)
  })

  it('is taken from two sources at the same time without storing a block twice', async () => {
    let stored = 0
    const store = new (class extends BlockMap {
      override async put(block: VerifiedBlock): Promise<boolean> {
        const isNew = await super.put(block)
        if (isNew) stored += 1
        return isNew
      }
    })()
    const session = new DagSession(store, root.cid, { kind: 'all' })
    await session.loadLocal()
    await Promise.all([fill(session, new WholeSource(all)), fill(session, new WholeSource(all))])
    assert.deepEqual([session.isDone, stored], [true, all.length])
  })

  it('never takes a block larger than any', async () => {
    const big = new Uint8Array(2_097_153)
    const { session, store } = await open(directoryNode([{ cid: rawCid(at(0).cid.multihash.digest), name: 'x' }]).cid)
    const source = new WholeSource([], [{ cid: session.root, bytes: big }])
    await assert.rejects(fill(session, source), isOutcome('corrupt'))
    assert.equal(store.puts, 0)
  })
})
