import assert from 'node:assert/strict'
import { KithError, type ErrorCode } from '../../../src/errors.ts'
import { takeAssertions } from '../../../src/peers/assertion-intake.ts'
import { SUBJECTS_MAX } from '../../../src/peers/assertions.ts'
import type { ControlHandler } from '../../../src/ports/control.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { identity } from '../adverts/support.ts'
import { ANA, BEN, door, type Door, EVE, SELF } from './assertion-door.ts'
import { DAY, didOf, peerOf, YEAR_SECONDS } from './people.ts'

describe('an assertion that comes in', () => {
  async function refused(at: Door, from: Identity, jwt: string, code: ErrorCode): Promise<void> {
    const before = at.assertions.weighed(0)
    await assert.rejects(at.send(from, jwt), (error: unknown) => {
      assert.ok(error instanceof KithError, String(error))
      assert.equal(error.code, code, error.message)
      return true
    })
    assert.deepEqual(at.assertions.weighed(0), before, 'nothing is stored')
  }

  async function withAna(): Promise<Door> {
    const at = door()
    await at.book.setLevel(ANA.did, 90)
    return at
  }

  it('is taken from one with a level, and gives trust and no access', async () => {
    const at = await withAna()
    assert.deepEqual(await at.send(ANA, await at.word(ANA, BEN.did)), { taken: true })
    assert.deepEqual([at.standing.trustOf(BEN.peerId), at.standing.accessOf(BEN.peerId)], [7.2, 0])
  })

  it('is taken from one that another vouches for, as far as chains reach', async () => {
    const at = await withAna()
    await at.send(ANA, await at.word(ANA, BEN.did))
    await at.send(BEN, await at.word(BEN, EVE.did, { trustLevel: 50 }))
    assert.deepEqual(at.standing.pathsTo(EVE.did), [{ through: [ANA.did, BEN.did], trust: 3.6 }])
    await refused(at, EVE, await at.word(EVE, didOf(1)), 'UNAUTHORIZED')
  })

  it('is not looked at when it comes from a stranger, or from one with level 0, blocked or suspended', async () => {
    const at = await withAna()
    await refused(at, EVE, await at.word(EVE, BEN.did), 'UNAUTHORIZED')
    await at.book.setLevel(ANA.did, 0)
    await refused(at, ANA, await at.word(ANA, BEN.did), 'UNAUTHORIZED')
    await at.book.setLevel(ANA.did, 90)
    at.standing.report(ANA.peerId, 'wrong-bytes')
    await refused(at, ANA, await at.word(ANA, BEN.did), 'UNAUTHORIZED')
    await at.clock.advance(DAY)
    await at.book.block(ANA.did)
    await refused(at, ANA, await at.word(ANA, BEN.did), 'UNAUTHORIZED')
  })

  it("must be signed by the one who sends it: another's is an offence", async () => {
    const at = await withAna()
    await refused(at, ANA, await at.word(BEN, EVE.did), 'UNAUTHORIZED')
    assert.deepEqual(at.behaviour.get(ANA.did)?.counts, { 'protocol-violation': 1 })
  })

  it('that says it is from the sender and is signed by another is not believed', async () => {
    const at = await withAna()
    const [header, , signature] = (await at.word(BEN, EVE.did)).split('.')
    const [, claims] = (await at.word(ANA, EVE.did)).split('.')
    await refused(at, ANA, `${header}.${claims}.${signature}`, 'INVALID_PARAMS')
  })

  it('for another reader, expired, from the future, or for ever is not believed', async () => {
    const at = await withAna()
    const cases: Record<string, unknown>[] = [
      { aud: BEN.did },
      { iat: at.now() - 1000, exp: at.now() - 500 },
      { iat: at.now() + 3600, exp: at.now() + 7200 },
      { exp: at.now() + 10 * YEAR_SECONDS }
    ]
    for (const over of cases) await refused(at, ANA, await at.word(ANA, BEN.did, over), 'INVALID_PARAMS')
  })

  it('that is oversized or no token at all is not read', async () => {
    const at = await withAna()
    await refused(at, ANA, await at.word(ANA, BEN.did, { padding: 'x'.repeat(5000) }), 'INVALID_PARAMS')
    await refused(at, ANA, 'x'.repeat(60_000), 'INVALID_PARAMS')
    await refused(at, ANA, '', 'INVALID_PARAMS')
    for (const body of [null, 'text', ['x'], {}, { jwt: 7 }, new Uint8Array(3)]) {
      const handlers: ControlHandler[] = []
      takeAssertions({ ...at, book: at.assertions, identity: SELF }, { handle: (_kind, handler) => handlers.push(handler) })
      await assert.rejects(async () => await handlers[0]?.(ANA.peerId, body), /comes as \{jwt: TEXT\}/)
    }
  })

  it('about oneself, about the reader, about nobody, or out of bounds says nothing', async () => {
    const at = await withAna()
    for (const sub of [ANA.did, SELF.did, 'did:key:alice', 'ben', `did:web:${'a'.repeat(300)}`, BEN.peerId])
      await refused(at, ANA, await at.word(ANA, sub), 'INVALID_PARAMS')
    for (const over of [{ trustLevel: 101 }, { trustLevel: -1 }, { trustLevel: '80' }, { context: 'x'.repeat(300) }, { context: 5 }])
      await refused(at, ANA, await at.word(ANA, BEN.did, over), 'INVALID_PARAMS')
  })

  it('of an older date, or seen before, changes nothing', async () => {
    const at = await withAna()
    const first = await at.word(ANA, BEN.did)
    await at.send(ANA, first)
    await at.clock.advance(5_000)
    await at.send(ANA, await at.word(ANA, BEN.did, { trustLevel: 0 }), 'revoke')
    assert.equal(at.standing.trustOf(BEN.peerId), 0)
    assert.deepEqual(await at.send(ANA, first), { taken: false })
    assert.equal(at.standing.trustOf(BEN.peerId), 0)
  })

  it('of a thousand made-up identities changes nothing', async () => {
    const at = await withAna()
    const crowd = await Promise.all(Array.from({ length: 40 }, async (_, n) => await identity(100 + n)))
    for (const [n, one] of crowd.entries()) {
      const next = crowd[(n + 1) % crowd.length]
      await refused(at, one, await at.word(one, next?.did ?? '', { trustLevel: 100 }), 'UNAUTHORIZED')
    }
    for (let n = 0; n < 1000; n++) assert.equal(at.standing.issuerStanding(peerOf(n)), undefined)
    assert.deepEqual([at.assertions.weighed(0).length, at.standing.trustOf(EVE.peerId)], [0, 0])
  })

  it('is one of a bounded number, by issuer and for all the vouched together', async () => {
    const at = door()
    await at.book.setLevel(peerOf(0), 10)
    const of = (iss: number, sub: number) => ({ iss: didOf(iss), sub: didOf(sub), level: 100, iat: at.now(), exp: at.now() + 60 })
    for (let n = 1; n <= SUBJECTS_MAX; n++) await at.assertions.put(of(0, n), 'known')
    await assert.rejects(at.assertions.put(of(0, 9999), 'known'), { code: 'QUOTA_EXCEEDED' })
    let taken = 0
    for (let iss = 1; iss <= SUBJECTS_MAX; iss++)
      for (let n = 0; n < 20; n++) {
        const put = at.assertions.put(of(iss, 10_000 + n), 'vouched')
        taken += await put.then(() => 1, () => 0) // prettier-ignore
      }
    assert.equal(taken, 1024)
    await at.clock.advance(61_000)
    await at.assertions.put(of(0, 9999), 'known')
    assert.equal(at.assertions.weighed(0).length, 1, 'what expired makes room')
  })

  it('that must be verified is so a bounded number of times', async () => {
    const at = await withAna()
    const forged = async (n: number): Promise<string> => {
      const jwt = await at.word(ANA, BEN.did, { iat: at.now() + (n % 20) })
      return `${jwt.slice(0, -3)}AAA`
    }
    const codes = new Set<string>()
    for (let n = 0; n < SUBJECTS_MAX + 1; n++) {
      const error: unknown = await at.send(ANA, await forged(n)).catch((thrown: unknown) => thrown)
      codes.add(error instanceof KithError ? error.code : 'taken')
    }
    assert.deepEqual([...codes], ['INVALID_PARAMS', 'RATE_LIMITED'])
  })
})
