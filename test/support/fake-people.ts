/** Trust, pairing, routes, capabilities and topics of the fake services: nobody is known, nothing is paired, one peer would be asked. */
import type { ContentParam, Services } from '../../src/rpc/services.ts'
import type { RouteCandidate, RouteExplanation, TrustEntry } from '../../src/rpc/services-people.ts'

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

const ADVERT = {
  did: 'did:key:z6MkFake',
  peerId: '12D3KooWFake',
  seq: 1,
  issuedAt: '2026-01-01T00:00:00.000Z',
  expires: '2026-01-01T00:07:00.000Z',
  count: 1,
  truncated: false,
  ipfsNode: { enabled: true, type: 'helia' }
}

const FAKE_TRUST: TrustEntry = {
  did: 'did:key:z6MkfakeOfNobody',
  level: 50,
  access: 5,
  effective: 5,
  blocked: false,
  paths: [],
  behaviour: 0
}

/** What every invitation and share of the fake answers. */
export const FAKE_TICKET = { ticket: 'kith:fake', qr: '█▀▄ \n▀▄ █', expires: '2026-01-02T00:00:00.000Z' }

export const FAKE_PEOPLE: Pick<Services, 'capabilities' | 'trust' | 'pairing' | 'route' | 'pubsub'> = {
  capabilities: {
    publish: async () => ADVERT,
    query: async () => ({ ...ADVERT, version: '1.0.0', protocols: [], bindings: [{ did: 'did:key:z6MkPerson', expires: ADVERT.expires }] })
  },
  trust: {
    set: async () => FAKE_TRUST,
    get: async () => FAKE_TRUST,
    list: async () => ({ items: [FAKE_TRUST] }),
    assert: async () => ({ jwt: 'a.b.c', delivery: {} }),
    revoke: async () => FAKE_TRUST,
    block: async () => FAKE_TRUST,
    unblock: async () => FAKE_TRUST
  },
  pairing: {
    invite: async () => FAKE_TICKET,
    uninvite: async ticket => ({ revoked: ticket === FAKE_TICKET.ticket }),
    join: async ({ ticket, level = 50 }) => ({
      did: 'did:key:fake',
      peerId: 'fake',
      via: 'direct',
      access: level / 10,
      ...(ticket === 'kith:old' ? {} : { granted: ticket === 'kith:revoked' ? 0 : 80 })
    }),
    share: async () => FAKE_TICKET
  },
  route: { explain: async ({ content }) => explanationOf(content), best: async () => FAKE_CANDIDATE },
  pubsub: { publish: async () => ({ peers: 1 }), subscribe: () => () => {} }
}
