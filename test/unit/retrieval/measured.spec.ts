/** Every request to a source is measured, offences are reported by name, and who had what is remembered. */
import assert from 'node:assert/strict'
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import type { Library } from '../../../src/content/library.ts'
import { KithError } from '../../../src/errors.ts'
import type { Estimates } from '../../../src/ports/estimates.ts'
import type { StateStore } from '../../../src/ports/state-table.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'
import { LastSeen, readSighting } from '../../../src/retrieval/last-seen.ts'
import type { RetrievalReport } from '../../../src/retrieval/retrieval.ts'
import type { RetrievalRequest } from '../../../src/retrieval/retriever.ts'
import { distinctBytes, fileDag, memoryLibrary, type MadeDag } from '../../support/dag-builder.ts'
import { FakeStanding } from '../../support/fake-standing.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakePeers } from './fake-peers.ts'
import { FakeSource, makeRetriever, requestFor } from './retriever-support.ts'

const HOUR = 3_600_000

/** Writes down what it is told. */
class Notebook implements Estimates {
  readonly told: string[] = []
  readonly of: Estimates['of'] = source => UNMEASURED.of(source)
  readonly ledger: Estimates['ledger'] = peer => UNMEASURED.ledger(peer)
  begin(source: string): ReturnType<Estimates['begin']> {
    this.told.push(`begin ${source}`)
    return { firstByte: () => this.told.push(`byte ${source}`), end: (outcome, bytes) => this.told.push(`${outcome} ${source} ${bytes}`) }
  }
  latency(peer: string): void {
    this.told.push(`latency ${peer}`)
  }
  observeClaim(peer: string, hit: boolean): void {
    this.told.push(`claim ${peer} ${hit ? 'true' : 'false'}`)
  }
  readonly serving: Estimates['serving'] = peer => UNMEASURED.serving(peer)
  served(): void {}
}

describe('What retrieval learns of its sources', () => {
  let dag: MadeDag
  let clock: VirtualClock
  let library: Library
  let peers: FakePeers
  let standing: FakeStanding
  let notes: Notebook
  let state: StateStore
  let ipfs: FakeSource | undefined
  before(async () => {
    dag = await fileDag(distinctBytes(1000))
  })
  beforeEach(() => {
    clock = new VirtualClock()
    library = memoryLibrary()
    peers = new FakePeers()
    standing = new FakeStanding()
    notes = new Notebook()
    state = memoryState()
    ipfs = undefined
  })

  const get = async (request: Partial<RetrievalRequest> = {}): Promise<RetrievalReport> => {
    const { network, exchange, directory, reach } = peers
    const made = makeRetriever({ library, clock, ipfs, standing, estimates: notes, state, network, exchange, directory, reach })
    const { report } = await made.start(requestFor(dag.root, request), {})
    await clock.advance(60_000)
    return await report
  }
  const failure = async (request: Partial<RetrievalRequest> = {}): Promise<KithError> => {
    try {
      await get(request)
    } catch (error) {
      if (error instanceof KithError) return error
    }
    throw new Error('it was expected to fail')
  }

  it('is its time, its outcome and its bytes, and whether its claim was true', async () => {
    peers.add('boaster', { claim: 'yes' })
    peers.add('owner', { claim: 'yes', blocks: dag.blocks })
    await get()
    assert.deepEqual(notes.told, [
      'begin boaster',
      'claim boaster false',
      'not-found boaster 0',
      'begin owner',
      'byte owner',
      'claim owner true',
      'ok owner 1000'
    ])
    assert.deepEqual(standing.reports, [])
  })

  it('counts no claim for what lies below a content, nor for an answer', async () => {
    const below = await fileDag(distinctBytes(500, 7))
    peers.add('claims', { claim: 'yes' })
    peers.add('answers', { claim: 'no', blocks: new Map([...dag.blocks, ...below.blocks]) })
    await get({ root: below.root })
    assert.equal(
      notes.told.some(each => each.startsWith('claim')),
      false
    )
    assert.equal(notes.told.includes('latency answers'), true)
  })

  it('is measured of IPFS too, by its name', async () => {
    ipfs = new FakeSource('ipfs', dag.blocks.values())
    await get()
    assert.deepEqual(notes.told, ['begin ipfs', 'byte ipfs', 'ok ipfs 1000'])
  })

  it('is nothing of a peer that could not be reached', async () => {
    peers.add('away', { claim: 'yes', isConnected: false, isAsleep: true })
    const error = await failure()
    assert.deepEqual([error.code, notes.told, standing.reports], ['NOT_FOUND', [], []])
    assert.equal(error.data['unreachable'], 1)
  })

  it('is reported: wrong bytes and silence, but neither a refusal nor a lost connection', async () => {
    peers.add('liar', { claim: 'yes', blocks: dag.blocks, behave: 'wrong' })
    peers.add('mute', { claim: 'yes', behave: 'silent' })
    peers.add('shy', { claim: 'yes', behave: 'refusing' })
    peers.add('gone', { claim: 'yes', behave: 'faulty' })
    peers.add('cut', { claim: 'yes', behave: 'cut' })
    peers.add('rude', { claim: 'yes', behave: 'rude' })
    assert.equal((await failure()).code, 'INTEGRITY')
    assert.deepEqual(
      standing.reports.toSorted(([a], [b]) => a.localeCompare(b)),
      [
        ['liar', 'wrong-bytes'],
        ['mute', 'timeout'],
        ['rude', 'protocol-violation']
      ]
    )
  })

  it('is no offence of a peer that sent something meanwhile: its line is slow, or this one', async () => {
    peers.add('slow', { claim: 'yes', behave: 'silent' })
    clock.after(5_000, () => {
      peers.hear('slow', 1, clock.monotonic())
    })
    assert.equal((await failure()).code, 'NOT_FOUND')
    assert.deepEqual([notes.told.at(-1), standing.reports], ['timeout slow 0', []])
  })

  it('does not call a friend unreachable that is connected and was silent', async () => {
    peers.add('mute', { claim: 'yes', behave: 'silent' })
    standing.set('mute', 5)
    const silent = await failure({ class: 'private' })
    assert.match(
      silent.message,
      /^A peer you trust was asked and sent nothing in time.*Ask again.*kith peers ping\)\. No answer came from a peer/
    )
    peers.add('mute', { claim: 'yes', isConnected: false, isLost: true })
    assert.match((await failure({ class: 'private' })).message, /^No peer you trust could be reached/)
  })

  it('tells who had it last when nobody has it any more, also after a restart', async () => {
    const owner = peers.add('owner', { claim: 'yes', blocks: dag.blocks })
    await get()
    library = memoryLibrary()
    owner.isConnected = false
    owner.isAsleep = true
    owner.claim = 'unknown'
    await clock.advance(3 * HOUR)
    const error = await failure()
    assert.match(error.message, /did:key:owner had it, last seen 3 h ago/)
    const { lastSeen } = error.data
    assert.deepEqual({ ...Object(lastSeen), at: undefined }, { peer: 'owner', did: 'did:key:owner', what: 'had', at: undefined })
  })

  it('notes nothing of who had private content', async () => {
    peers.add('friend', { blocks: dag.blocks })
    standing.set('friend', 5)
    await get({ class: 'private' })
    assert.equal(state.table('last-seen', readSighting).size, 0)
  })

  it('keeps a bounded number of sightings, the oldest go first, and names no address', async () => {
    const table = state.table('last-seen', readSighting)
    const open = (): LastSeen =>
      new LastSeen({ table, keyedDigest: bytes => library.digest(bytes), standing: { nameOf: () => 'Ana' }, didOf: peer => peer, clock })
    const seen = open()
    const keyOf = (index: number): Uint8Array => Uint8Array.of(0x12, 4, index & 255, index >> 8, 0, 0)
    for (let index = 0; index < 10_010; index++) {
      seen.note(keyOf(index), 'peer', 'claimed')
      if (index < 10) await clock.advance(1)
    }
    assert.equal(table.size, 10_000)
    assert.deepEqual([seen.of(keyOf(0)), open().of(keyOf(10_009))?.name], [undefined, 'Ana'])
    seen.note(keyOf(10_009), 'peer', 'had')
    seen.note(keyOf(10_009), 'other', 'claimed')
    assert.deepEqual([seen.of(keyOf(10_009))?.peer, seen.of(keyOf(10_009))?.what], ['peer', 'had'])
  })
})
