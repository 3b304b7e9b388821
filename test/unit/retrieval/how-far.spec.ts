import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import type { Attempt, SkipReason } from '../../../src/model/source.ts'
import type { BlockSource } from '../../../src/ports/block-source.ts'
import type { RetrievalRequest } from '../../../src/retrieval/retriever.ts'
import { howFar } from '../../../src/retrieval/how-far.ts'
import { distinctBytes, fileDag, memoryLibrary } from '../../support/dag-builder.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { FakeSource, makeRetriever, requestFor } from './retriever-support.ts'

type Facts = Partial<Attempt> & Pick<Attempt, 'stage' | 'outcome'>
const far = (...facts: readonly Facts[]): ReturnType<typeof howFar> => howFar(facts.map(fact => ({ ms: 0, bytes: 0, ...fact })))

/** A source that is left alone for now. */
function resting(stage: 'ipfs' | 'gateway'): BlockSource {
  const source = new FakeSource(stage)
  const unavailable = (): SkipReason => 'unhealthy'
  return { stage, concurrency: 1, unavailable, open: () => source.open() }
}

async function notFound(
  ipfs: BlockSource | undefined,
  gateways: readonly BlockSource[],
  more: Partial<RetrievalRequest> = {}
): Promise<KithError> {
  const { root } = await fileDag(distinctBytes(10))
  const made = makeRetriever({ library: memoryLibrary(), clock: new VirtualClock(), ipfs, gateways })
  try {
    await (
      await made.start(requestFor(root, more), {})
    ).report
  } catch (error) {
    if (error instanceof KithError && error.code === 'NOT_FOUND') return error
    throw error
  }
  throw new Error('it was expected not to be found')
}

describe('how far a search looked', () => {
  it('counts each source once, and who answered once as asked', () => {
    const { asked, unreachable } = far(
      { stage: 'peer', peer: 'a', outcome: 'fault' },
      { stage: 'peer', peer: 'a', outcome: 'not-found' },
      { stage: 'peer', peer: 'b', outcome: 'timeout' },
      { stage: 'peer', peer: 'b', outcome: 'fault' },
      { stage: 'peer', peer: 'c', outcome: 'refused' },
      { stage: 'ipfs', outcome: 'timeout' },
      { stage: 'gateway', url: 'https://one', outcome: 'skipped', reason: 'unhealthy' },
      { stage: 'gateway', url: 'https://two', outcome: 'skipped', reason: 'off' }
    )
    assert.deepEqual([asked, unreachable], [3, 2])
    const twice = far({ stage: 'peer', peer: 'a', outcome: 'not-found' }, { stage: 'proxy', peer: 'a', outcome: 'refused' })
    assert.deepEqual([twice.asked, twice.unreachable, twice.words], [1, 0, ''], 'a proxy that refuses has answered')
  })

  it('names who gave no answer, and what to do', () => {
    assert.equal(far({ stage: 'ipfs', outcome: 'not-found' }).words, '')
    assert.match(far({ stage: 'ipfs', outcome: 'refused' }).words, /No answer came from IPFS: "kith doctor"/, 'a wrong password')
    const gateways = ['1', '2'].map((url): Facts => ({ stage: 'gateway', url, outcome: 'fault' }))
    assert.match(far({ stage: 'proxy', peer: 'a', outcome: 'fault' }).words, /No answer came from a peer that was to fetch it: /)
    assert.match(far({ stage: 'ipfs', outcome: 'fault' }, ...gateways).words, /from IPFS and 2 gateways/)
  })

  it('is said by an error: nobody was asked is not the same as nobody has it', async () => {
    const down = await notFound(resting('ipfs'), [resting('gateway')])
    assert.match(down.message, /^nobody could be asked.*No answer came from IPFS and a gateway.*kith doctor/)
    assert.deepEqual([down.data['asked'], down.data['unreachable']], [0, 2])
    const partly = await notFound(new FakeSource('ipfs'), [resting('gateway')])
    assert.match(partly.message, /^nobody who was asked has this content.*from a gateway/)
    assert.deepEqual([partly.data['asked'], partly.data['unreachable']], [1, 1])
    const none = await notFound(undefined, [])
    assert.match(none.message, /^nobody could be asked.*no Kith peer is connected, and neither IPFS nor a gateway is configured$/)
    assert.deepEqual([none.data['asked'], none.data['unreachable']], [0, 0])
    const notAllowed = await notFound(undefined, [], { preferredSources: ['gateway'] })
    assert.match(notAllowed.message, /^nobody could be asked.*of the sources you allowed \(gateway\) none is turned on and connected/)
    const nowhere = await notFound(new FakeSource('ipfs'), [])
    assert.equal(nowhere.message, 'nobody who was asked has this content')
  })
})
