import assert from 'node:assert/strict'
import { configFrom } from '../../../src/config/resolve.ts'
import { visibility } from '../../../src/config/visibility.ts'

const PEER = '/p2p/12D3KooWJiPPsouYWiBJSrxut7c1WrjaW65vRwbrU5k3ebsQupnS'

describe('who can see a node', () => {
  const said = (tree: unknown, addresses: readonly string[] = []): string =>
    visibility(configFrom(tree), { addresses })
      .map(({ who, what }) => `${who}: ${what}`)
      .join('\n')

  it('tells addresses of the machine, of its network and of the world apart', () => {
    const text = said({}, [
      `/ip4/127.0.0.1/tcp/1${PEER}`,
      `/ip4/192.168.1.5/tcp/1${PEER}`,
      `/ip6/fe80::1/tcp/1${PEER}`,
      `/ip4/8.8.8.8/tcp/1${PEER}`
    ])
    assert.match(text, /machine: Programs on this machine reach it at: \/ip4\/127\.0\.0\.1\/tcp\/1$/m)
    assert.match(text, /neighbours: Machines in the same network reach it at: \/ip4\/192\.168\.1\.5\/tcp\/1, \/ip6\/fe80::1\/tcp\/1$/m)
    assert.match(text, /strangers: Anybody who can route to this machine reaches it at: \/ip4\/8\.8\.8\.8\/tcp\/1$/m)
    assert.match(said({}), /\/ip4\/0\.0\.0\.0\/tcp\/0 \(every interface\)/, 'as configured while it does not run')
  })

  it('tells of the defaults what is lazy, who is asked, and how to be private', () => {
    const text = said({})
    assert.match(text, /tells the local network that it is here/)
    assert.match(text, /With the first public request or publish, not before, it enters the public IPFS swarm/)
    assert.match(text, /DHT learns which public content/)
    assert.match(text, /gateways: These learn, last of all.*bare CIDs.*https:\/\/ipfs\.io/)
    assert.match(text, /by direct streams and bitswap/)
    assert.match(text, /advice: .*configs\/private\.yaml/)
  })

  it('says of a private node that nobody is told anything, and gives it no advice', () => {
    const text = said({ network: { publicSwarm: false, mdns: false, listen: [] }, gateways: [], privacy: { unknownCid: 'private' } })
    assert.match(text, /takes no connections/)
    assert.match(text, /does not enter the public IPFS swarm/)
    assert.match(text, /No gateway is asked/)
    assert.doesNotMatch(text, /advice|local network that/)
  })

  it('says of a node that trusts whoever connects that nothing on it is private', () => {
    for (const trust of [{ default: 5 }, { minTrusted: 0 }, { default: 7, minTrusted: 6 }]) {
      const text = said({ trust })
      assert.match(text, /strangers: WARNING: everything private here is given to whoever connects/)
      assert.doesNotMatch(text, /nobody else/)
    }
    assert.doesNotMatch(said({ trust: { default: 4.9 } }), /WARNING/)
  })

  it('does not hide what was opened', () => {
    const text = said({ privacy: { serveFetched: 'anyone', default: 'public' }, ipfs: { type: 'kubo', api: 'http://10.0.0.1:5001' } })
    assert.match(text, /learn what is read/)
    assert.match(text, /put without saying is public/)
    assert.match(text, /http:\/\/10\.0\.0\.1:5001 learns what public content/)
  })
})
