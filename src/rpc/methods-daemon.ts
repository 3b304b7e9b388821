/** The `daemon.*`, `config.get`, `call.cancel` methods. */
import { z } from 'zod'
import { LOG_LEVELS } from '../ports/log.ts'
import { ID_CHARACTERS_MAX } from './message.ts'
import { method } from './method.ts'
import { bytes, nothing } from './schemas.ts'

const usage = z.object({ blocks: bytes, bytes })

const statusResult = z.object({
  version: z.string(),
  peerId: z.string(),
  did: z.string(),
  bindings: z
    .array(z.object({ did: z.string(), expires: z.iso.datetime() }))
    .optional()
    .describe('DIDs that speak for this node, as it shows them to peers; absent: none'),
  addresses: z.array(z.string()),
  uptimeSeconds: z.number(),
  swarms: z.array(z.object({ name: z.string(), peers: z.number() })),
  ipfs: z.object({
    type: z.string(),
    healthy: z.boolean(),
    connected: z.boolean(),
    totalNodes: z.number(),
    gatewayNodes: z.number(),
    primaryNode: z.string().nullable(),
    nodes: z.array(
      z.object({
        url: z.string(),
        type: z.string(),
        healthy: z.boolean(),
        lastCheck: z.string().nullable(),
        responseTime: z.number().nullable(),
        error: z.string().optional()
      })
    )
  }),
  store: z.record(z.string(), usage),
  health: z.array(z.object({ code: z.string(), severity: z.enum(['warning', 'error']), title: z.string() })),
  memory: z.object({ rssBytes: bytes }),
  relay: z
    .object({
      serves: z.boolean(),
      reservations: z.number().describe('peers reached through here'),
      bytesToday: bytes,
      maxBytesPerDay: bytes.describe('0: no limit'),
      relays: z.array(z.string()).describe('peers through which this node is reached'),
      relayed: z.array(z.object({ peer: z.string(), address: z.string(), why: z.string() })).describe('connected through a relay only')
    })
    .optional()
})

const healthResult = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  nodes: z.object({ total: z.number(), healthy: z.number(), unhealthy: z.number() }),
  performance: z.object({ avg_response_time: z.number(), cache_hit_rate: z.number(), operations_per_second: z.number() })
})

export const daemonMethods = {
  'log.setLevel': method({
    access: 'admin',
    doc: 'Which messages the daemon logs, until its next start.',
    params: { level: z.enum(LOG_LEVELS).describe('the least important messages shown') },
    result: nothing,
    run: ({ node }, { level }) => {
      node.setLogLevel(level)
      return {}
    }
  }),
  'daemon.status': method({
    access: 'read',
    doc: 'What this node is and how it fares.',
    params: {},
    result: statusResult,
    run: async ({ node }) => await node.status()
  }),
  'daemon.health': method({
    access: 'read',
    doc: 'Health of the IPFS endpoints and recent performance.',
    params: {},
    result: healthResult,
    run: async ({ node }) => await node.health()
  }),
  'daemon.version': method({
    access: 'open',
    doc: 'Versions of the program, of this interface and of Node.',
    params: {},
    result: z.object({ version: z.string(), api: z.string(), node: z.string() }),
    run: ({ node }) => node.version()
  }),
  'daemon.shutdown': method({
    access: 'admin',
    doc: 'Answers, then stops the daemon in good order.',
    params: {},
    result: nothing,
    run({ node }, _params, context): Record<string, never> {
      context.afterAnswer(() => node.shutdown())
      return {}
    }
  }),
  'config.get': method({
    access: 'admin',
    doc: 'The configuration in force, secrets masked.',
    params: {},
    result: z.record(z.string(), z.unknown()),
    run: ({ node }) => node.config()
  }),
  'call.cancel': method({
    access: 'login',
    doc: 'Ends a running call of the same connection: it answers CANCELLED.',
    params: { id: z.union([z.string().max(ID_CHARACTERS_MAX), z.number(), z.null()]).describe('the id of the call') },
    result: z.object({ cancelled: z.boolean() }),
    run: (_services, { id }, { connection }) => ({ cancelled: connection.cancel(id) })
  })
}
