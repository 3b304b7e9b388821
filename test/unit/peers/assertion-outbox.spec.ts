import assert from 'node:assert/strict'
import { KithError } from '../../../src/errors.ts'
import { signAssertion } from '../../../src/peers/assertion-claims.ts'
import { ANA, BEN, door, SELF } from './assertion-door.ts'
import { post } from './assertion-post.ts'
import { didOf, peerOf, YEAR_SECONDS } from './people.ts'

describe('an assertion that goes out', () => {
  const words = { sub: didOf(9), level: 80, seconds: YEAR_SECONDS }

  it('is handed at once to who is connected, signed for each alone', async () => {
    const at = post()
    await at.connect(ANA.peerId)
    const said = await at.outbox.say({ ...words, context: 'photos', to: [ANA.did, BEN.did] }, {})
    assert.deepEqual(said.map(({ delivery }) => delivery), ['delivered', 'queued']) // prettier-ignore
    assert.deepEqual(at.asked.map(({ peer, kind }) => [peer, kind]), [[ANA.peerId, 'assert']]) // prettier-ignore
    const claims: unknown = JSON.parse(Buffer.from(at.asked[0]?.jwt.split('.')[1] ?? '', 'base64url').toString())
    const iat = Math.floor(at.clock.now() / 1000)
    const expected = {
      iss: SELF.did,
      sub: didOf(9),
      aud: ANA.did,
      trustLevel: 80,
      context: 'photos',
      iat,
      exp: iat + YEAR_SECONDS
    }
    assert.deepEqual(claims, expected)
  })

  it('waits for the others, a restart included, and goes once', async () => {
    const before = post()
    await before.outbox.say({ ...words, to: [ANA.did] }, {})
    const at = post(before)
    await at.connect(BEN.peerId)
    assert.deepEqual(at.asked, [])
    for (let time = 0; time < 2; time++) await at.connect(ANA.peerId)
    assert.deepEqual(at.asked.map(({ peer }) => peer), [ANA.peerId]) // prettier-ignore
  })

  it('waits on when it could not be handed over', async () => {
    const at = post()
    await at.connect(ANA.peerId)
    at.answer = () => {
      throw new KithError('RATE_LIMITED', 'later')
    }
    const [first] = await at.outbox.say({ ...words, to: [ANA.did] }, {})
    assert.equal(first?.delivery, 'queued')
    at.answer = undefined
    await at.clock.advance(60_000)
    assert.equal(at.asked.length, 1, 'asked again while it is connected')
  })

  it('is given up when it is refused', async () => {
    const at = post()
    at.answer = () => {
      throw new KithError('RATE_LIMITED', 'later')
    }
    await at.connect(ANA.peerId)
    await at.outbox.say({ ...words, to: [ANA.did] }, {})
    at.answer = () => {
      throw new KithError('UNAUTHORIZED', 'no')
    }
    await at.connect(ANA.peerId)
    at.answer = undefined
    await at.connect(ANA.peerId)
    assert.deepEqual([at.asked, at.outbox.readersOf(didOf(9))], [[], []])
  })

  it('is taken back from whoever was told, by a later word', async () => {
    const at = post()
    await at.connect(ANA.peerId)
    await at.outbox.say({ ...words, to: [ANA.did] }, {})
    assert.deepEqual(at.outbox.readersOf(didOf(9)), [ANA.did])
    await at.outbox.say({ ...words, level: 0, to: at.outbox.readersOf(didOf(9)) }, {})
    await at.outbox.say({ ...words, level: 40, to: [ANA.did] }, {})
    const times = at.asked.map(({ jwt }) => Number(JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())['iat']))
    assert.deepEqual(at.asked.map(({ kind }) => kind), ['assert', 'revoke', 'assert']) // prettier-ignore
    assert.deepEqual(times.map(time => time - (times[0] ?? 0)), [0, 1, 2]) // prettier-ignore
  })

  it('is one of a bounded number', async () => {
    const at = post()
    for (let batch = 0; batch < 4; batch++) {
      const to = Array.from({ length: 1024 }, (_, n) => didOf(batch * 1024 + n))
      const table = at.state.table<unknown>('assertions-said', stored => stored)
      for (const reader of to)
        table.note(`${reader} ${didOf(9)}`, { to: reader, sub: didOf(9), jwt: 'x', level: 80, iat: 1, exp: 2e10, isDelivered: true })
    }
    await assert.rejects(at.outbox.say({ ...words, to: [ANA.did] }, {}), { code: 'QUOTA_EXCEEDED' })
  })

  it('speaks the language the reader takes', async () => {
    const there = door()
    await there.book.setLevel(ANA.did, 50)
    const iat = there.now()
    const jwt = await signAssertion({ sub: didOf(9), level: 100, iat, exp: iat + 60 }, SELF.did, ANA)
    assert.deepEqual(await there.send(ANA, jwt), { taken: true })
    assert.equal(there.standing.trustOf(peerOf(9)), 5)
  })
})
