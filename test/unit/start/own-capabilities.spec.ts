import assert from 'node:assert/strict'
import { AdvertPublisher } from '../../../src/adverts/publisher.ts'
import { AdvertValidator } from '../../../src/adverts/validate.ts'
import type { Capabilities } from '../../../src/adverts/claims.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { ownCapabilities } from '../../../src/start/own-capabilities.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { countingRandom, identity, silent } from '../adverts/support.ts'

const ADDRESS = '/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

describe('what the configuration says of a node in its advert', () => {
  /** The capabilities as others read them, who refuse what is malformed and charge it to its issuer. */
  async function asRead(set: readonly string[], bindings = 0): Promise<Capabilities> {
    const { config } = await loadConfig({ home: '/nowhere', sets: set })
    const clock = new VirtualClock()
    const node = await identity(1)
    const publisher = new AdvertPublisher(
      {
        identity: node,
        clock,
        random: countingRandom(),
        log: silent,
        roots: () => [],
        publish: async () => {},
        seqStore: { load: () => undefined, save: async () => {} }
      },
      { ...config.adverts, caps: () => ownCapabilities(config, bindings) }
    )
    await publisher.start()
    const validator = new AdvertValidator(
      { clock, known: () => undefined, isWelcome: () => true, isKept: () => false, onOffence: (_peer, offence) => assert.fail(offence) },
      { filterBytesMax: 2 * 1024 * 1024 }
    )
    const { head } = await validator.pulled(node.peerId, publisher.current() ?? assert.fail())
    await publisher.stop()
    return head.caps ?? assert.fail()
  }

  it('is taken by others with the defaults, in which nothing is limited', async () => {
    const { ipfsNode, bindings } = await asRead([])
    assert.deepEqual([ipfsNode, bindings], [{ enabled: true, type: 'helia' }, undefined])
  })

  it('holds gateway, addresses and bindings', async () => {
    const set = ['ipfs.publicGateway=https://ana.example', `ipfs.swarmAddresses=${ADDRESS}`]
    const { ipfsNode, bindings } = await asRead([...set, 'ipfs.type=kubo'], 2)
    assert.match(ipfsNode.publicGateway ?? '', /^https:\/\/ana\.example\/?$/)
    assert.deepEqual([ipfsNode.type, ipfsNode.swarmAddresses, bindings], ['kubo', [ADDRESS], 2])
    assert.deepEqual((await asRead(['ipfs.type=gateway-only'])).ipfsNode, { enabled: false, type: 'gateway-only' })
  })

  it('leaves out what others would refuse', async () => {
    const addresses = Array.from({ length: 20 }, (_, n) => ADDRESS.replace('4001', String(4001 + n)))
    const { ipfsNode } = await asRead([
      `ipfs.swarmAddresses=[${addresses.join(', ')}]`,
      `ipfs.publicGateway=https://ana.example/${'x'.repeat(300)}`
    ])
    assert.deepEqual([ipfsNode.swarmAddresses?.length, ipfsNode.publicGateway], [16, undefined])
  })
})
