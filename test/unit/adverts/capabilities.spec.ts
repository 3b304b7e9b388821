import assert from 'node:assert/strict'
import { fromString, toString } from 'uint8arrays'
import { CapabilityAnswers, readPeerCapabilities, type OwnAnswer } from '../../../src/adverts/capabilities.ts'
import { KithError } from '../../../src/errors.ts'
import { signBinding } from '../../../src/peers/sign-binding.ts'
import { signJwt } from '../../../src/peers/jwt.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { identity } from './support.ts'

describe('capabilities asked directly', () => {
  let ana: Identity
  let ben: Identity
  let clock: VirtualClock
  let answer: OwnAnswer | null

  before(async () => {
    ;[ana, ben] = [await identity(1), await identity(2)]
  })
  beforeEach(() => {
    clock = new VirtualClock()
    answer = {
      seq: 7,
      caps: {
        did: ana.did,
        ipfsNode: { enabled: true, type: 'kubo', publicGateway: 'https://ana.example', swarmAddresses: ['/ip4/8.8.8.8/tcp/4001'] },
        contentIndex: { digest: 'A'.repeat(43), bytes: 100, count: 5, truncated: false },
        bandwidthLimit: 1000
      },
      proxy: { maxBytes: 1, quotaBytesPerDay: 2, maxConcurrent: 3 },
      version: '0.1.0',
      protocols: ['/kith/exchange/1'],
      bindings: []
    }
  })

  const answers = (): CapabilityAnswers => new CapabilityAnswers({ identity: ana, clock, answerFor: () => answer })
  const read = async (bytes: Uint8Array | null, peer = ana.peerId, self = ben.peerId) =>
    await readPeerCapabilities(peer, bytes ?? assert.fail(), { self, clock })
  const claims = () => {
    const iat = Math.floor(clock.now() / 1000)
    return { ...answer, aud: `kith/capabilities/1 ${ben.did}`, iat, exp: iat + 60, v: 1, peerId: ana.peerId }
  }

  it('come back as they were said', async () => {
    const said = await read(await answers().for(ben.peerId))
    const iat = Math.floor(clock.now() / 1000)
    assert.deepEqual(said, { ...answer, did: ana.did, peerId: ana.peerId, issuedAt: iat, expires: iat + 60 })
  })

  it('are believed by the asker they are meant for, from the peer that was asked, for a minute', async () => {
    const bytes = await answers().for(ben.peerId)
    await assert.rejects(read(bytes, ana.peerId, ana.peerId), { code: 'INTEGRITY', reason: 'audience' })
    await assert.rejects(read(bytes, ben.peerId), { code: 'INTEGRITY', reason: 'issuer' })
    await clock.advance(90_000)
    await assert.rejects(read(bytes), { reason: 'time' })
  })

  it('are no advert, and an advert is none of them', async () => {
    const iat = Math.floor(clock.now() / 1000)
    for (const aud of ['kith/adverts/1', 'kith/capabilities/1', ben.did])
      await assert.rejects(read(fromString(await signJwt({ ...claims(), aud, iat, exp: iat + 60 }, ana))), { reason: 'audience' })
  })

  const spoils: [what: string, spoil: Record<string, unknown>][] = [
    ['another version', { v: 2 }],
    ['the PeerId of another', { peerId: '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' }],
    ['no number', { seq: 0 }],
    ['no capabilities', { caps: null }],
    ['capabilities of another', { caps: { did: 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp' } }],
    ['a negative quota', { proxy: { maxBytes: -1, quotaBytesPerDay: 2, maxConcurrent: 3 } }],
    ['a version with control characters', { version: '\u001b[2J' }],
    ['too many protocols', { protocols: Array.from({ length: 17 }, () => '/a') }],
    ['too many bindings', { bindings: Array.from({ length: 5 }, () => 'a') }],
    ['bindings that are no texts', { bindings: [5] }],
    ['a lifetime of an hour', { exp: 4_000_000_000 }]
  ]
  for (const [what, spoil] of spoils) {
    it(`are refused with ${what}`, async () => {
      const bytes = fromString(await signJwt({ ...claims(), ...spoil }, ana))
      await assert.rejects(read(bytes), (error: unknown) => error instanceof KithError && error.code === 'INTEGRITY')
    })
  }

  it('are refused when they are too long, unsigned or no token at all', async () => {
    const jwt = await signJwt(claims(), ana)
    for (const text of ['', 'a.b', 'x'.repeat(30_000), `${jwt.slice(0, -20)}${jwt.at(-20) === 'A' ? 'B' : 'A'}${jwt.slice(-19)}`])
      await assert.rejects(read(fromString(text)), { code: 'INTEGRITY' })
    await assert.rejects(read(Uint8Array.of(0xff, 0xfe, 0)), { code: 'INTEGRITY' })
  })

  it('hold four bindings with all else at its longest', async () => {
    const iat = Math.floor(clock.now() / 1000)
    const binding = await signBinding(ben, ana.did, { iat, exp: iat + 60 })
    if (answer === null) assert.fail()
    const swarmAddresses = Array.from({ length: 16 }, () => 'x'.repeat(256))
    const caps = { ...answer.caps, ipfsNode: { enabled: true, type: 'kubo' as const, swarmAddresses } }
    answer = { ...answer, caps, bindings: Array.from({ length: 4 }, () => binding.padEnd(2048, 'A')) }
    const bytes = await answers().for(ben.peerId)
    assert.equal((await read(bytes)).bindings.length, 4)
    assert.ok(toString(bytes ?? assert.fail(), 'latin1').length < 24 * 1024)
  })

  it('are signed once in five seconds for one asker, and not before the first advert', async () => {
    const asked = answers()
    const first = await asked.for(ben.peerId)
    answer = null
    assert.equal(await asked.for(ben.peerId), first)
    await clock.advance(5000)
    assert.equal(await asked.for(ben.peerId), null)
  })
})
