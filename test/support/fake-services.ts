/**
 * The daemon's services as the socket sees them, held in memory: honest about bytes, addresses and errors, without
 * peers, IPFS or a disk. Faults are forced through `faults`.
 */
import { EventBus } from '../../src/observe/events.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { ContentFacts } from '../../src/rpc/scoped-content.ts'
import type { GetParams, Services } from '../../src/rpc/services.ts'
import { fakeContent } from './fake-content.ts'
import { FAKE_PEOPLE } from './fake-people.ts'

export interface FakeFaults {
  /** `content.get` and `open` of this address wait until released or aborted. */
  hang?: string
  /** Reading fails after so many bytes. */
  failAfter?: number
  /** Progress reports that a hanging get makes at once. */
  progress?: readonly number[]
}

export interface FakeServices extends Services {
  readonly faults: FakeFaults
  /** Calls that were aborted, by method. */
  readonly aborted: string[]
  /** What was called, in order. */
  readonly calls: string[]
  /** Parameters of every `get` and `open`. */
  readonly asked: GetParams[]
  shutdowns: number
  /** Where content lies and who put it, as tokens are judged by. */
  readonly facts: ContentFacts
  /** Resolves when the next call hangs. */
  hanging(): Promise<void>
  /** Resolves when the next hanging call was aborted. */
  abortion(): Promise<void>
}

export function fakeServices(components: { readonly clock: Clock }): FakeServices {
  const events = new EventBus(components)
  const hangs = new Signal()
  const abortions = new Signal()
  const { content, facts } = fakeContent({ fake: () => fake, events, hangs, abortions })
  const fake: FakeServices = {
    faults: {},
    aborted: [],
    calls: [],
    asked: [],
    shutdowns: 0,
    hanging: async () => await hangs.next(),
    abortion: async () => await abortions.next(),
    events,
    content,
    facts,
    peers: {
      list: async () => ({ items: [FAKE_PEER] }),
      connect: async address => ({ peerId: FAKE_PEER.peerId, did: FAKE_PEER.did, address }),
      disconnect: async () => ({}),
      ping: async () => ({ latencyMs: 1.5 })
    },
    ...FAKE_PEOPLE,
    adverts: {
      list: async () => ({
        items: [
          {
            did: FAKE_PEER.did,
            peerId: FAKE_PEER.peerId,
            seq: 1,
            issuedAt: '2026-01-01T00:00:00.000Z',
            expires: '2026-01-01T00:07:00.000Z',
            count: 2,
            truncated: false,
            ipfsNode: { enabled: true, type: 'helia' }
          }
        ]
      })
    },
    node: {
      status: async () => FAKE_STATUS,
      health: async () => ({
        status: 'healthy',
        nodes: { total: 1, healthy: 1, unhealthy: 0 },
        performance: { avg_response_time: 0.012, cache_hit_rate: 0.87, operations_per_second: 1.5 }
      }),
      version: () => ({ version: '0.1.0', api: '1.0.0', node: process.version }),
      shutdown: () => {
        fake.shutdowns++
      },
      config: () => ({ network: { mdns: true } }),
      setLogLevel: level => {
        fake.calls.push(`log.setLevel ${level}`)
      }
    }
  }
  return fake
}

/** Waiters that one moment wakes. */
export class Signal {
  #waiters: (() => void)[] = []

  async next(): Promise<void> {
    await new Promise<void>(resolve => this.#waiters.push(resolve))
  }

  fire(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}

const FAKE_PEER = {
  peerId: '12D3KooWFakePeer',
  did: 'did:key:z6MkFakePeer',
  addresses: ['/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWFakePeer'],
  connected: true,
  via: 'direct' as const,
  access: 8,
  trust: 8,
  latencyMs: 12,
  bandwidthBytesPerSecond: null,
  hasIpfs: true,
  ledger: { ok: 3 }
}

const FAKE_STATUS = {
  version: '0.1.0',
  peerId: '12D3KooWFakeSelf',
  did: 'did:key:z6MkFakeSelf',
  addresses: ['/ip4/127.0.0.1/tcp/4002/p2p/12D3KooWFakeSelf'],
  uptimeSeconds: 3661,
  swarms: [],
  ipfs: {
    type: 'helia',
    healthy: true,
    connected: true,
    totalNodes: 1,
    gatewayNodes: 0,
    primaryNode: 'helia',
    nodes: [{ url: 'helia', type: 'helia', healthy: true, lastCheck: null, responseTime: null }]
  },
  store: { public: { blocks: 1, bytes: 11 }, cache: { blocks: 0, bytes: 0 }, own: { blocks: 2, bytes: 22 } },
  health: [],
  memory: { rssBytes: 100_000_000 }
}
