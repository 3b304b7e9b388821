/** Trust, pairing, routes, capabilities and topics of the fake services: nobody is known, nothing is paired. */
import { notBuilt } from '../../src/services/not-built.ts'
import type { Services } from '../../src/rpc/services.ts'

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
  pairing: { invite: notBuilt('fake'), uninvite: notBuilt('fake'), join: notBuilt('fake'), share: notBuilt('fake') },
  route: { explain: notBuilt('fake'), best: notBuilt('fake') },
  pubsub: { publish: async () => ({ peers: 1 }), subscribe: () => () => {} }
}
