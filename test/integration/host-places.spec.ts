/** The connections a host has room for: strangers cannot shut out own people. Real hosts on loopback. */
import assert from 'node:assert/strict'
import type { Host, HostInit } from '../../src/adapters/libp2p/host.ts'
import { Friends } from '../support/friends.ts'
import { until } from '../support/until.ts'
import { addressOf, startTestHost } from './exchange-support.ts'

describe('the places of a host', () => {
  const hosts: Host[] = []
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map(async host => await host.stop()))
  })
  const start = async (init: Partial<HostInit> = {}): Promise<Host> => {
    const host = await startTestHost(init)
    hosts.push(host)
    return host
  }
  const several = async (count: number): Promise<Host[]> => await Promise.all(Array.from({ length: count }, async () => await start()))
  const connectedTo = (host: Host, others: readonly Host[]): number => others.filter(({ self }) => host.isConnected(self)).length

  it('are kept free in part for own people, however many strangers dial in', async () => {
    const friends = new Friends()
    const node = await start({ maxConnections: 8 })
    node.follow(friends)
    const strangers = await several(8)
    let refused = 0
    for (const stranger of strangers) await stranger.connect(addressOf(node)).catch(() => (refused += 1))
    assert.deepEqual([refused, connectedTo(node, strangers)], [2, 6])
    const own = await several(2)
    friends.trust(...own)
    for (const host of own) await host.connect(addressOf(node))
    assert.equal(connectedTo(node, own), 2)
    const [first] = strangers
    await first?.disconnect(node.self)
    await until(() => connectedTo(node, strangers) === 5)
    await strangers.at(-1)?.connect(addressOf(node))
    assert.equal(connectedTo(node, strangers), 6, 'who leaves makes room')
  })

  it('are taken from strangers first when there are too many', async () => {
    const friends = new Friends()
    const node = await start({ maxConnections: 4 })
    node.follow(friends)
    const own = await several(3)
    friends.trust(...own.slice(0, 2))
    for (const host of own) await host.connect(addressOf(node))
    friends.trust(...own) // also who is connected already
    const chosen: string[] = []
    node.libp2p.addEventListener('connection:prune', ({ detail }) => {
      chosen.push(...detail.map(({ remotePeer }) => remotePeer.toString()))
    })
    const strangers = await several(3)
    for (const host of strangers) await node.connect(addressOf(host)).catch(() => {}) // it may be closed at once
    await until(() => chosen.length > 0)
    assert.deepEqual(
      chosen.filter(peer => own.some(({ self }) => self === peer)),
      []
    )
    assert.equal(connectedTo(node, own), 3)
  })
})
