/** The `peers.*` and `adverts.*` methods that are built. */
import { z } from 'zod'
import { method } from './method.ts'
import { bytes, cursor, limit, nothing, peer } from './schemas.ts'

/** A page of peers ends with the rank and the PeerId of a peer. */
const peerCursor = cursor.regex(
  /^[0-3]:-?\d{1,2}(?:\.\d{1,3})?:[1-9A-HJ-NP-Za-km-z]{40,64}$/,
  'it is not one this method gave; begin again without it'
)

const peerInfo = z.object({
  peerId: z.string(),
  did: z.string(),
  name: z.string().optional(),
  addresses: z.array(z.string()),
  connected: z.boolean(),
  via: z.enum(['direct', 'relayed']).optional(),
  access: z.number(),
  trust: z.number(),
  latencyMs: z.number().nullable(),
  bandwidthBytesPerSecond: z.number().nullable(),
  hasIpfs: z.boolean(),
  advert: z.object({ seq: z.number(), ageSeconds: z.number(), count: bytes, precision: z.number().nullable() }).optional(),
  ledger: z.record(z.string(), z.number()),
  note: z.string().optional()
})

export const advertInfo = z.object({
  did: z.string(),
  peerId: z.string(),
  seq: z.number(),
  issuedAt: z.string(),
  expires: z.string(),
  count: bytes,
  truncated: z.boolean(),
  ipfsNode: z.object({ enabled: z.boolean(), type: z.string() })
})

export const peersMethods = {
  'peers.list': method({
    access: 'read or peers',
    doc: 'The peers this node knows, with what it learnt of each: connected ones first, those that are neither asked nor served last, each by trust.',
    params: { cursor: peerCursor.exactOptional(), limit: limit.exactOptional() },
    large: true,
    result: z.object({ items: z.array(peerInfo), cursor: z.string().optional() }),
    run: async ({ peers }, params) => await peers.list(params)
  }),
  'peers.connect': method({
    access: 'peers',
    doc: 'Dials an address and waits until the peer is identified.',
    params: { address: z.string().min(1).max(1024).describe('multiaddr, with or without /p2p/PEERID') },
    result: z.object({ peerId: z.string(), did: z.string(), address: z.string() }),
    run: async ({ peers }, { address }, { signal }) => await peers.connect(address, { signal })
  }),
  'peers.disconnect': method({
    access: 'peers',
    doc: 'Closes the connections to a peer.',
    params: { peer },
    result: nothing,
    run: async ({ peers }, params) => await peers.disconnect(params.peer)
  }),
  'peers.ping': method({
    access: 'peers',
    doc: 'Measures one round trip to a peer.',
    params: { peer },
    result: z.object({ latencyMs: z.number() }),
    run: async ({ peers }, params, { signal }) => await peers.ping(params.peer, { signal })
  }),
  'adverts.list': method({
    access: 'read',
    doc: 'The last valid advert of each peer.',
    params: {},
    large: true,
    result: z.object({ items: z.array(advertInfo) }),
    run: async ({ adverts }) => await adverts.list()
  })
}
