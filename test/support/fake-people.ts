/** Trust, pairing, routes, capabilities and topics of the fake services: nobody is known, nothing is paired. */
import { notBuilt } from '../../src/services/not-built.ts'
import type { Services } from '../../src/rpc/services.ts'

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

export const FAKE_PEOPLE: Pick<Services, 'capabilities' | 'trust' | 'pairing' | 'route' | 'pubsub'> = {
  capabilities: {
    publish: async () => ADVERT,
    query: async () => ({ ...ADVERT, version: '1.0.0', protocols: [], bindings: [{ did: 'did:key:z6MkPerson', expires: ADVERT.expires }] })
  },
  trust: {
    set: notBuilt('fake'),
    get: notBuilt('fake'),
    list: notBuilt('fake'),
    assert: notBuilt('fake'),
    revoke: notBuilt('fake'),
    block: notBuilt('fake'),
    unblock: notBuilt('fake')
  },
  pairing: { invite: notBuilt('fake'), uninvite: notBuilt('fake'), join: notBuilt('fake'), share: notBuilt('fake') },
  route: { explain: notBuilt('fake'), best: notBuilt('fake') },
  pubsub: { publish: async () => ({ peers: 1 }), subscribe: () => () => {} }
}
