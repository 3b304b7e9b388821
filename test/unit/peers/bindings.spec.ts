import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { Bindings } from '../../../src/peers/bindings.ts'
import { publicKeyFromDid } from '../../../src/peers/did-key.ts'
import { signJwt } from '../../../src/peers/jwt.ts'
import { signBinding } from '../../../src/peers/sign-binding.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { identity } from '../adverts/support.ts'

const WEB = 'did:web:ana.example'

describe('bindings', () => {
  let node: Identity
  let ana: Identity
  let peer: Identity
  let clock: VirtualClock
  let bindings: Bindings
  let iat: number

  before(async () => {
    ;[node, ana, peer] = [await identity(1), await identity(2), await identity(3)]
  })
  beforeEach(() => {
    clock = new VirtualClock()
    iat = Math.floor(clock.now() / 1000)
    bindings = new Bindings({
      clock,
      identity: node,
      resolver: {
        resolve: async did => {
          if (did === WEB || did === ana.did) return [publicKeyFromDid(ana.did)]
          throw new KithError('UNAUTHORIZED', 'not named')
        }
      }
    })
  })

  const bind = async (did: string, seconds = 3600): Promise<string> => await signBinding(ana, did, { iat, exp: iat + seconds })

  it('let a person speak for a node until they end', async () => {
    const [taken] = await bindings.take(peer.peerId, [await bind(peer.did)])
    assert.equal(taken?.did, ana.did)
    assert.deepEqual(bindings.boundDids(peer.peerId), [ana.did])
    assert.deepEqual([bindings.speaksFor(ana.did, peer.peerId), bindings.speaksFor(peer.did, peer.peerId)], [true, true])
    assert.equal(bindings.speaksFor(node.did, peer.peerId), false)
    await clock.advance(3_600_000)
    assert.deepEqual(bindings.boundDids(peer.peerId), [])
  })

  it('also speak for persons whose keys must be asked for', async () => {
    const jwt = await signBinding({ ...ana, did: WEB }, peer.did, { iat, exp: iat + 60 })
    assert.deepEqual(
      (await bindings.take(peer.peerId, [jwt])).map(({ did }) => did),
      [WEB]
    )
    const unnamed = await signBinding({ ...ana, did: 'did:web:mallory.example' }, peer.did, { iat, exp: iat + 60 })
    assert.deepEqual(await bindings.take(peer.peerId, [unnamed]), [])
    const without = new Bindings({ clock, identity: node })
    assert.deepEqual(await without.take(peer.peerId, [jwt]), [])
  })

  it('bind no other node than the one they name, and are believed only when signed, current and meant as such', async () => {
    const good = await bind(peer.did)
    const bad = [
      await bind(node.did),
      `${good.slice(0, -20)}${good.at(-20) === 'A' ? 'B' : 'A'}${good.slice(-19)}`,
      await bind(peer.did, 400 * 24 * 60 * 60),
      await signBinding(ana, peer.did, { iat: iat - 7200, exp: iat - 3600 }),
      await signJwt({ aud: 'kith/adverts/1', sub: peer.did, iat, exp: iat + 60 }, ana),
      'x'.repeat(5000),
      ''
    ]
    for (const jwt of bad) assert.deepEqual(await bindings.take(peer.peerId, [jwt]), [])
  })

  it('replace what the peer showed before, four at most', async () => {
    await bindings.take(peer.peerId, [await bind(peer.did)])
    const others = await Promise.all(
      [4, 5, 6, 7, 8].map(async seed => await signBinding(await identity(seed), peer.did, { iat, exp: iat + 60 }))
    )
    const lenient = new Bindings({ clock, identity: node })
    assert.equal((await lenient.take(peer.peerId, others)).length, 4)
    await bindings.take(peer.peerId, [])
    assert.deepEqual(bindings.boundDids(peer.peerId), [])
  })

  it('of this node are shown while they hold; those of others are refused', async () => {
    const jwt = await bind(node.did)
    await bindings.addOwn(jwt)
    await bindings.addOwn(await signBinding({ ...ana, did: 'did:web:bob.example' }, node.did, { iat, exp: iat + 60 }))
    assert.equal(bindings.own().length, 2)
    await assert.rejects(bindings.addOwn(await bind(peer.did)), { code: 'INTEGRITY' })
    await assert.rejects(bindings.addOwn(`${jwt.slice(0, -20)}${jwt.at(-20) === 'A' ? 'B' : 'A'}${jwt.slice(-19)}`), { code: 'INTEGRITY' })
    await clock.advance(60_000)
    assert.deepEqual(bindings.own(), [jwt])
  })

  it('are remembered of a bounded number of peers, never at the price of the own ones', async () => {
    await bindings.addOwn(await bind(node.did))
    const jwt = await bind(peer.did)
    await bindings.take(peer.peerId, [jwt])
    assert.equal(bindings.boundDids(peer.peerId).length, 1)
    for (let seed = 10; seed < 14; seed++) {
      const other = await identity(seed)
      await bindings.take(other.peerId, [await bind(other.did)])
      assert.equal(bindings.boundDids(other.peerId).length, 1)
    }
    assert.equal(bindings.own().length, 1)
  })
})
