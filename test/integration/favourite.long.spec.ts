/** A favourite among a real daemon's peers that turns: how long it stays one. Figures: `node scripts/favourite.ts`. */
import assert from 'node:assert/strict'
import { FavouriteStage, requestsUntilLeft } from '../../scripts/lib/favourite-play.ts'
import { unharmed } from './bad-input-support.ts'

const CONTENTS = 80
const AFTER = 12
/** Requests made of it after it turned slow, before another is preferred. */
const SLOW_REQUESTS_MAX = 5

describe('a favourite', function () {
  this.timeout(180_000)

  it('that turns slow is left within a few requests, and every one of them is answered', async () => {
    await using stage = await FavouriteStage.start(CONTENTS)
    await stage.settle()
    stage.turnSlow()
    const asked = await stage.askTimes(AFTER)
    assert.ok(requestsUntilLeft(asked) <= SLOW_REQUESTS_MAX, JSON.stringify(asked))
    assert.ok(asked.every(({ isRight }) => isRight))
  })

  it('that sends a wrong block is left at once, for good, and with the reason', async () => {
    await using stage = await FavouriteStage.start(CONTENTS)
    await stage.settle()
    stage.turnCorrupt()
    const { asker, favourite } = stage
    const sentWrong = async (): Promise<number> =>
      (await asker.client.call('peers.list', {})).items.find(({ peerId }) => peerId === favourite.peerId)?.ledger['corrupt'] ?? 0
    await unharmed(asker, async () => {
      // As a rule it is the first who is asked; another may be quicker than it on a machine that has much to do.
      while ((await sentWrong()) === 0) assert.ok((await stage.ask()).isRight)
    })
    const asked = await stage.askTimes(AFTER)
    assert.ok(asked.every(({ isRight }) => isRight))
    assert.equal(requestsUntilLeft(asked), 0)
    assert.ok(!asked.some(request => request.favourite))
    const { items } = await asker.client.call('peers.list', {})
    assert.equal(items.at(-1)?.peerId, favourite.peerId)
    assert.match(items.at(-1)?.note ?? '', /wrong bytes/)
    assert.equal(items.at(-1)?.ledger['corrupt'], 1)
  })
})
