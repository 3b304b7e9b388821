/** Trust, pairing, routes, capabilities and topics of the fake services: nobody is known, nothing is paired. */
import { notBuilt } from '../../src/services/not-built.ts'
import type { Services } from '../../src/rpc/services.ts'

/** What every invitation and share of the fake answers. */
export const FAKE_TICKET = { ticket: 'kith:fake', qr: '█▀▄ \n▀▄ █', expires: '2026-01-02T00:00:00.000Z' }

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
  pairing: {
    invite: async () => FAKE_TICKET,
    uninvite: async ticket => ({ revoked: ticket === FAKE_TICKET.ticket }),
    join: async ({ level = 50 }) => ({ did: 'did:key:fake', peerId: 'fake', via: 'direct', access: level / 10 }),
    share: async () => FAKE_TICKET
  },
  route: { explain: notBuilt('fake'), best: notBuilt('fake') },
  pubsub: { publish: notBuilt('fake'), subscribe: notBuilt('fake') }
}
