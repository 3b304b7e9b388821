import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { parseEndpoint } from '../../../src/adapters/gateway/endpoint.ts'
import { PeerGateways } from '../../../src/adverts/peer-gateways.ts'

describe('gateways of peers', () => {
  let named: Map<string, string | undefined>
  let trusted: string[]
  let stopped: string[]
  let gateways: PeerGateways<string>

  beforeEach(() => {
    named = new Map()
    trusted = []
    stopped = []
    gateways = new PeerGateways({
      standing: { trustedPeers: () => trusted },
      directory: {
        ipfsOf: peer => {
          const publicGateway = named.get(peer)
          return publicGateway === undefined ? undefined : { enabled: true, type: 'kubo', publicGateway }
        }
      },
      make: url => {
        if (url.includes('broken')) throw new Error('no gateway')
        return url
      },
      stop: async url => {
        stopped.push(url)
      }
    })
  })

  it('are those of trusted peers, as long as these are trusted and say so', () => {
    named.set('ana', 'https://ana.example').set('ben', 'https://ben.example').set('eve', 'https://eve.example')
    trusted = ['ana', 'ben', 'who says nothing']
    assert.deepEqual(gateways.current(), ['https://ana.example', 'https://ben.example'])
    trusted = ['ana']
    assert.deepEqual([gateways.current(), stopped], [['https://ana.example'], ['https://ben.example']])
    named.set('ana', 'https://elsewhere.example')
    assert.deepEqual(gateways.current(), ['https://elsewhere.example'])
  })

  it('are plain https addresses, four at most, each once', async () => {
    const urls = [
      'http://a.example',
      'https://u:p@a.example',
      'https://{cid}.a.example',
      'https://a.example/?x=',
      'ftp://a',
      'nonsense',
      'https://broken.example'
    ]
    for (const [n, url] of urls.entries()) named.set(`peer ${n}`, url)
    trusted = urls.map((_, n) => `peer ${n}`)
    assert.deepEqual(gateways.current(), [])
    for (let n = 0; n < 10; n++) named.set(`more ${n}`, `https://${Math.floor(n / 2)}.example`)
    trusted = Array.from({ length: 10 }, (_, n) => `more ${n}`)
    assert.deepEqual(gateways.current().length, 4)
    await gateways.close()
    assert.equal(stopped.length, 4)
  })

  it('reach no private address, not even one written out', () => {
    for (const host of ['127.0.0.1', 'localhost', '10.0.0.1', '[::1]']) {
      const bare = host.replace(/[[\]]/g, '')
      assert.equal(parseEndpoint(`https://${host}`).names(bare, '', 'https:'), isIP(bare) !== 0 || bare === 'localhost')
      assert.equal(parseEndpoint(`https://${host}`, { publicOnly: true }).names(bare, '', 'https:'), false)
    }
  })
})
