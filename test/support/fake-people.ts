/** Trust, pairing, routes, capabilities and topics of the fake services: nobody is known, nothing is paired, one peer would be asked. */
import { notBuilt } from '../../src/services/not-built.ts'
import type { ContentParam, Services } from '../../src/rpc/services.ts'
import type { RouteCandidate, RouteExplanation } from '../../src/rpc/services-people.ts'

export const FAKE_CANDIDATE: RouteCandidate = {
  stage: 'peer',
  peer: '12D3KooWGzBRs8ZBDqBRBBZ1fkvp2LJTvcWBYKqkCJKBVTbjSCzB',
  did: 'did:key:z6MkfakeOfNobody',
  name: 'Ana',
  eligible: true,
  claim: 'yes',
  access: 10,
  trust: 10,
  score: -22.5,
  terms: { firstByte: 20, queue: 0, transfer: 6.25, faults: 0.4, miss: 1.2, dial: 0, hope: -2.8 },
  expectedMs: 25
}

export function explanationOf(content: ContentParam): RouteExplanation {
  return {
    content: typeof content === 'string' ? content : content.value,
    privacy: { public: false, class: 'private', reason: 'address' },
    classes: ['private', 'small'],
    stages: [
      { stage: 'local', startsAfterMs: 0 },
      { stage: 'peer', startsAfterMs: 0 },
      { stage: 'ipfs', startsAfterMs: null, reason: 'not-public' },
      { stage: 'gateway', startsAfterMs: null, reason: 'not-public' }
    ],
    candidates: [FAKE_CANDIDATE]
  }
}

export const FAKE_PEOPLE: Pick<Services, 'capabilities' | 'trust' | 'pairing' | 'route' | 'pubsub'> = {
  capabilities: { publish: notBuilt('fake'), query: notBuilt('fake') },
  trust: {
    set: notBuilt('fake'),
    get: notBuilt('fake'),
    list: notBuilt('fake'),
    assert: notBuilt('fake'),
    revoke: notBuilt('fake'),
    block: notBuilt('fake'),
    unblock: notBuilt('fake')
  },
  pairing: { invite: notBuilt('fake'), join: notBuilt('fake'), share: notBuilt('fake') },
  route: { explain: async ({ content }) => explanationOf(content), best: async () => FAKE_CANDIDATE },
  pubsub: { publish: notBuilt('fake'), subscribe: notBuilt('fake') }
}
