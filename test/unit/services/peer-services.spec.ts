import assert from 'node:assert/strict'
import fc from 'fast-check'
import { didFromPeerId, peerIdFromDid } from '../../../src/peers/did-key.ts'
import type { ConnectedPeer, Network } from '../../../src/ports/network.ts'
import { UNMEASURED } from '../../../src/ranking/unmeasured.ts'
import type { PeerInfo, PeerServices } from '../../../src/rpc/services.ts'
import { peerServices } from '../../../src/services/peer-services.ts'
import { DAY, didOf, peerOf, trustFixture, type TrustFixture } from '../peers/people.ts'

interface Listed extends TrustFixture {
  readonly online: Map<string, ConnectedPeer>
  readonly services: PeerServices
  readonly hits: Map<string, { readonly yes: number; readonly no: number }>
  readonly connect: (n: number, over?: Partial<ConnectedPeer>) => void
}

function listed(): Listed {
  const trust = trustFixture()
  const online = new Map<string, ConnectedPeer>()
  const hits: Listed['hits'] = new Map()
  const never = async (): Promise<never> => {
    throw new Error('not asked for here')
  }
  const network: Network = {
    self: peerOf(0),
    addresses: () => [],
    peers: () => [...online.values()],
    isConnected: peer => online.has(peer),
    connect: never,
    identified: never,
    disconnect: async () => {},
    ping: async () => 7,
    open: never,
    handle: never,
    on: () => () => {},
    publish: never,
    subscribe: () => {}
  }
  const services = peerServices({
    ...trust,
    network,
    estimates: {
      ...UNMEASURED,
      of: peer => ({ ...UNMEASURED.of(peer), hits: hits.get(peer) ?? { yes: 0, no: 0 } }),
      ledger: () => ({ asked: 3 })
    },
    didOf: didFromPeerId,
    peerOf: peerIdFromDid,
    advertOf: () => undefined,
    hasIpfs: () => undefined
  })
  return {
    ...trust,
    online,
    hits,
    services,
    connect: (n, over = {}) => {
      online.set(peerOf(n), {
        peer: peerOf(n),
        addresses: [`/ip4/192.0.2.${n}/tcp/1`],
        since: 0,
        protocols: [],
        identified: true,
        relayed: false,
        ...over
      })
    }
  }
}

async function pages(services: PeerServices, limit: number): Promise<PeerInfo[]> {
  const items: PeerInfo[] = []
  let cursor: string | undefined
  do {
    const page = await services.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
    assert.ok(page.items.length <= limit)
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  return items
}

describe('the list of peers', () => {
  it('holds the connected, those with a level though they are away, and the suspended', async () => {
    const { book, connect, services, standing } = listed()
    connect(1, { relayed: true })
    await book.setLevel(peerOf(2), 60, 'Ben')
    await book.setLevel('did:web:person.example', 90)
    standing.report(peerOf(3), 'wrong-bytes')
    const { items } = await services.list({})
    assert.deepEqual(
      items.map(({ did, name, connected, via, access, trust }) => ({ did, name, connected, via, access, trust })),
      [
        { did: didOf(1), name: undefined, connected: true, via: 'relayed', access: 0, trust: 0 },
        { did: didOf(2), name: 'Ben', connected: false, via: undefined, access: 6, trust: 6 },
        { did: didOf(3), name: undefined, connected: false, via: undefined, access: 0, trust: 0 }
      ]
    )
  })

  it('shows whom it shuns last, with the reason and the offences beside what was counted', async () => {
    const { book, clock, connect, services, standing } = listed()
    for (const n of [1, 2, 3, 4]) {
      connect(n)
      await book.setLevel(peerOf(n), 10 * n)
    }
    standing.report(peerOf(4), 'wrong-bytes')
    await book.block(peerOf(3))
    const { items } = await services.list({})
    assert.deepEqual(items.slice(0, 2).map(({ did }) => did), [didOf(2), didOf(1)]) // prettier-ignore
    const until = new Date(clock.now() + DAY).toISOString()
    const shunned = Object.fromEntries(items.slice(2).map(({ did, note, ledger }) => [did, { note, ledger }]))
    assert.deepEqual(shunned, {
      [didOf(3)]: { note: 'blocked', ledger: { asked: 3 } },
      [didOf(4)]: { note: `suspended until ${until}: it sent wrong bytes`, ledger: { asked: 3, 'wrong-bytes': 1 } }
    })
  })

  it('shows who claims what it has not below the others, with the reason', async () => {
    const { connect, book, services, hits } = listed()
    for (const n of [1, 2, 3]) connect(n)
    await book.setLevel(peerOf(1), 90)
    hits.set(peerOf(1), { yes: 0, no: 2 })
    hits.set(peerOf(2), { yes: 9, no: 3 })
    const { items } = await services.list({})
    assert.deepEqual(
      new Map(items.map(({ peerId, note }) => [peerId, note])),
      new Map(
        [peerOf(2), peerOf(3), peerOf(1)].map(peer => [
          peer,
          peer === peerOf(1) ? 'says it has what it has not: 0 of 2 claims were true' : undefined
        ])
      )
    )
    assert.equal(items.at(-1)?.peerId, peerOf(1))
  })

  it('is the same in pages of any size, each peer once', async () => {
    const peer = fc.record({
      level: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
      online: fc.boolean(),
      offence: fc.constantFrom(undefined, 'timeout' as const, 'wrong-bytes' as const, 'bad-advert' as const)
    })
    await fc.assert(
      fc.asyncProperty(fc.array(peer, { maxLength: 20 }), fc.integer({ min: 1, max: 7 }), async (peers, limit) => {
        const { book, connect, services, standing } = listed()
        for (const [n, { level, online, offence }] of peers.entries()) {
          if (online) connect(n)
          if (level !== undefined) await book.setLevel(peerOf(n), level)
          if (offence !== undefined) standing.report(peerOf(n), offence)
        }
        const whole = await services.list({ limit: 1000 })
        assert.deepEqual(await pages(services, limit), whole.items)
        assert.equal(new Set(whole.items.map(({ peerId }) => peerId)).size, whole.items.length)
      }),
      { numRuns: 60 }
    )
  })

  it('goes on where a page ended though peers come and go', async () => {
    const { connect, online, services } = listed()
    for (const n of [1, 2, 3, 4, 5]) connect(n)
    const first = await services.list({ limit: 2 })
    const [one, two] = first.items
    online.delete(one?.peerId ?? '')
    online.delete(two?.peerId ?? '')
    const second = await services.list({ limit: 10, ...(first.cursor === undefined ? {} : { cursor: first.cursor }) })
    const seen = new Set([...first.items, ...second.items].map(({ peerId }) => peerId))
    assert.deepEqual([second.items.length, seen.size], [3, 5])
  })
})
