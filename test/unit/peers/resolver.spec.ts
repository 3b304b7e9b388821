import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { publicKeyFromDid } from '../../../src/peers/did-key.ts'
import { MethodResolver } from '../../../src/peers/resolver.ts'
import { verifyJwt } from '../../../src/peers/jwt.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { identity } from '../adverts/support.ts'
import { fromString, toString } from 'uint8arrays'

const ANA = 'did:web:ana.example'

describe('resolving DIDs', () => {
  let node: Identity
  let clock: VirtualClock
  let asked: string[]
  let answer: () => Promise<readonly Uint8Array[]>
  let resolver: MethodResolver

  before(async () => {
    node = await identity(1)
  })
  beforeEach(() => {
    clock = new VirtualClock()
    asked = []
    answer = async () => [publicKeyFromDid(node.did)]
    const web = {
      resolve: async (did: string) => {
        asked.push(did)
        return await answer()
      }
    }
    resolver = new MethodResolver({ clock, isNamed: did => did.startsWith(ANA), methods: { web } })
  })

  async function tokenOf(iss: string): Promise<string> {
    const part = (value: unknown): string => toString(fromString(JSON.stringify(value)), 'base64url')
    const now = Math.floor(clock.now() / 1000)
    const data = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part({ iss, aud: 'here', iat: now, exp: now + 60 })}`
    return `${data}.${toString(await node.sign(fromString(data)), 'base64url')}`
  }
  const rules = () => ({ audience: 'here', now: Math.floor(clock.now() / 1000), expMaxSeconds: 600, charactersMax: 4096 })

  it('answers did:key from itself', async () => {
    assert.deepEqual(await resolver.resolve(node.did), [publicKeyFromDid(node.did)])
    await assert.rejects(resolver.resolve('did:key:alice'), { code: 'INVALID_PARAMS' })
    assert.deepEqual(asked, [])
  })

  it('asks about no DID the operator has not named, and about no method it does not know', async () => {
    await assert.rejects(resolver.resolve('did:web:mallory.example'), { code: 'UNAUTHORIZED' })
    for (const did of ['did:plc:abc', 'did:web', 'did:constructor:x', 'alice', '', `did:web:${'a'.repeat(600)}`])
      await assert.rejects(resolver.resolve(did), { code: 'INVALID_PARAMS' })
    assert.deepEqual(asked, [])
  })

  it('keeps an answer for an hour, and a failure for a minute', async () => {
    await resolver.resolve(ANA)
    await clock.advance(3_599_999)
    await resolver.resolve(ANA)
    assert.equal(asked.length, 1)
    await clock.advance(1)
    answer = async () => {
      throw new KithError('UNAVAILABLE', 'its server is away')
    }
    await assert.rejects(resolver.resolve(ANA), { code: 'UNAVAILABLE' })
    await assert.rejects(resolver.resolve(ANA), { code: 'UNAVAILABLE' })
    assert.equal(asked.length, 2)
    await clock.advance(60_000)
    answer = async () => []
    assert.deepEqual(await resolver.resolve(ANA), [])
  })

  it('asks once for all who wait', async () => {
    const gate = Promise.withResolvers<readonly Uint8Array[]>()
    answer = async () => await gate.promise
    const all = Promise.all([resolver.resolve(ANA), resolver.resolve(ANA)])
    gate.resolve([])
    assert.deepEqual(await all, [[], []])
    assert.equal(asked.length, 1)
  })

  it('remembers a bounded number of answers', async () => {
    for (let n = 0; n < 300; n++) await resolver.resolve(`${ANA}:${n}`)
    await resolver.resolve(`${ANA}:299`)
    assert.equal(asked.length, 300)
    await resolver.resolve(`${ANA}:0`)
    assert.equal(asked.length, 301)
  })

  it('lets a token of such a DID be believed only where it is given, and only with a key of that DID', async () => {
    const token = await tokenOf(ANA)
    await assert.rejects(verifyJwt(token, rules()), { code: 'INTEGRITY', reason: 'issuer' })
    assert.equal((await verifyJwt(token, { ...rules(), resolver })).issuer, ANA)
    await assert.rejects(verifyJwt(await tokenOf('did:web:mallory.example'), { ...rules(), resolver }), { reason: 'issuer' })
    answer = async () => [publicKeyFromDid((await identity(2)).did)]
    await assert.rejects(verifyJwt(await tokenOf(`${ANA}:other`), { ...rules(), resolver }), { reason: 'signature' })
    answer = async () => []
    await assert.rejects(verifyJwt(await tokenOf(`${ANA}:third`), { ...rules(), resolver }), { reason: 'signature' })
    for (const iss of ['did:key:alice', 'did:web:', 'did:web:a b', 'https://self-issued.me/v2'])
      await assert.rejects(verifyJwt(await tokenOf(iss), { ...rules(), resolver }), { reason: 'issuer' })
  })
})
