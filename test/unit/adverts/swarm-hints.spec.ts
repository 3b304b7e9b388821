import assert from 'node:assert/strict'
import { isPublicSwarmAddress, SwarmHints } from '../../../src/adverts/swarm-hints.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { silent } from './support.ts'

const ID = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const address = (host: string, port = 4001): string => `/ip4/${host}/tcp/${port}/p2p/${ID}`

describe('swarm addresses of peers', () => {
  it('count when they are literal, public, and name whom they lead to', () => {
    assert.ok(isPublicSwarmAddress(address('8.8.8.8')))
    assert.ok(isPublicSwarmAddress(`/ip6/2606:4700::1111/tcp/4001/p2p/${ID}`))
    for (const bad of [
      address('127.0.0.1'),
      address('10.1.2.3'),
      address('169.254.169.254'),
      `/ip6/::1/tcp/4001/p2p/${ID}`,
      `/ip6/::ffff:8.8.8.8/tcp/4001/p2p/${ID}`,
      `/dns4/example.com/tcp/4001/p2p/${ID}`,
      '/ip4/8.8.8.8/tcp/4001',
      `${address('8.8.8.8')}/p2p-circuit/p2p/${ID}`,
      `/ip4/8.8.8.8/tcp/4001/http/p2p/${ID}`,
      'nonsense'
    ])
      assert.equal(isPublicSwarmAddress(bad), false, bad)
  })

  it('of trusted peers are dialled when something is looked for, four a search, each once in ten minutes', async () => {
    const clock = new VirtualClock()
    const dialled: string[] = []
    const addresses = [1, 2, 3, 4, 5, 6].map(port => address('8.8.8.8', port))
    const hints = new SwarmHints({
      clock,
      log: silent,
      standing: { trustedPeers: () => ['ana'] },
      directory: {
        ipfsOf: peer => (peer === 'ana' ? { enabled: true, type: 'kubo', swarmAddresses: [address('10.0.0.1'), ...addresses] } : undefined)
      },
      dial: async one => {
        dialled.push(one)
        throw new Error('nobody is there')
      }
    })
    hints.search()
    assert.deepEqual(dialled, addresses.slice(0, 4))
    hints.search()
    hints.search()
    assert.deepEqual(dialled, addresses)
    await clock.advance(600_000)
    hints.search()
    assert.equal(dialled.length, 10)
  })
})
