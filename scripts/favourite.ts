/**
 * A favourite that turns slow, and one that turns corrupt: how many requests still go to it until it is left.
 *
 *   node scripts/favourite.ts
 */
import { median } from './bench/measure.ts'
import { FavouriteStage, requestsUntilLeft, type Asked } from './lib/favourite-play.ts'

/** Requests before it turns, at most, and after. */
const CONTENTS = 100
const AFTER_SLOW = 40
const AFTER_CORRUPT = 20
/** Peak-EWMA and hedges must see it within so many. */
const SLOW_REQUESTS_MAX = 5
/** One wrong block is enough. */
const CORRUPT_REQUESTS_MAX = 1

async function turn(how: 'slow' | 'corrupt'): Promise<boolean> {
  await using stage = await FavouriteStage.start(CONTENTS)
  const settled = await stage.settle()
  const before = await stage.askTimes(5)
  console.log(`\na favourite that turns ${how}`)
  console.log(`  it became the favourite after ${settled} requests; then ${times(before)}`)
  if (how === 'slow') stage.turnSlow()
  else stage.turnCorrupt()
  const after = await stage.askTimes(how === 'slow' ? AFTER_SLOW : AFTER_CORRUPT)
  const left = requestsUntilLeft(after)
  const most = how === 'slow' ? SLOW_REQUESTS_MAX : CORRUPT_REQUESTS_MAX
  console.log(`  ${after.map(mark).join('')}   (F from the favourite, f asked but another delivered, . not asked, x failed)`)
  console.log(
    `  left after ${left} requests, which took ${after
      .slice(0, left + 1)
      .map(({ ms }) => `${Math.round(ms)} ms`)
      .join(', ')}`
  )
  console.log(
    `  asked again in ${after.slice(left).filter(({ favourite }) => favourite).length} of the ${after.length - left} after; ${times(after.slice(left))}`
  )
  const { items } = await stage.asker.client.call('peers.list', {})
  const place = items.findIndex(({ peerId }) => peerId === stage.favourite.peerId) + 1
  console.log(`  in peers.list: ${place} of ${items.length}, ${JSON.stringify(items[place - 1]?.ledger)}`)
  const wrong = after.filter(({ isRight }) => !isRight).length
  const isGood = left <= most && wrong === 0
  console.log(`${isGood ? 'PASS' : 'MISS'}  left after at most ${most}; ${wrong} of ${after.length} requests failed`)
  return isGood
}

function mark({ favourite, delivered }: Asked): string {
  if (delivered === 'nobody') return 'x'
  return delivered === 'favourite' ? 'F' : favourite ? 'f' : '.'
}

function times(asked: readonly Asked[]): string {
  return `${Math.round(median(asked.map(({ ms }) => ms)))} ms a content in the median`
}

const slow = await turn('slow')
const corrupt = await turn('corrupt')
process.exitCode = slow && corrupt ? 0 : 1
