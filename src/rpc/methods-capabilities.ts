/** The methods `adverts.publish` and `capabilities.query`. */
import { z } from 'zod'
import { method } from './method.ts'
import { advertInfo } from './methods-peers.ts'
import { bytes, peer } from './schemas.ts'

const capabilities = advertInfo.extend({
  ipfsNode: z.object({
    enabled: z.boolean(),
    type: z.string(),
    publicGateway: z.string().optional(),
    swarmAddresses: z.array(z.string()).optional()
  }),
  bandwidthLimit: bytes.optional().describe('bytes a second it gives at most'),
  proxy: z
    .object({ maxBytes: bytes, quotaBytesPerDay: bytes, maxConcurrent: bytes })
    .optional()
    .describe('what it fetches for this node through its own IPFS, 0: no limit; absent: nothing'),
  version: z.string(),
  protocols: z.array(z.string()),
  bindings: z.array(z.object({ did: z.string(), expires: z.iso.datetime() })).describe('DIDs that speak for it, verified')
})

export const capabilityMethods = {
  'adverts.publish': method({
    access: 'peers',
    doc: 'Publishes the own advert now; answers what it says.',
    params: {},
    result: advertInfo,
    run: async ({ capabilities: service }) => await service.publish()
  }),
  'capabilities.query': method({
    access: 'read',
    doc: 'Asks a connected peer what it is and does; what it answers is signed by it for this node, and checked.',
    params: { peer },
    result: capabilities,
    run: async ({ capabilities: service }, params, { signal }) => await service.query(params.peer, { signal })
  })
}
