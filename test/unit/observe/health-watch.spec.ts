import assert from 'node:assert/strict'
import { EventBus } from '../../../src/observe/events.ts'
import { HealthWatch } from '../../../src/observe/health-watch.ts'
import { HealthBoard } from '../../../src/observe/health.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const GIB = 2 ** 30
const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('the health watch', () => {
  function watchWith({ newestFileTime = 0 } = {}) {
    const clock = new VirtualClock()
    const health = new HealthBoard({ events: new EventBus({ clock }) })
    const world = { freeBytes: 50 * GIB, fails: false, endpoints: [{ type: 'helia', healthy: true }] }
    const disk = async () => {
      if (world.fails) throw new Error('no statfs here')
      return { freeBytes: world.freeBytes, totalBytes: 100 * GIB }
    }
    const watch = new HealthWatch(
      { health, clock, log: silentLog, disk, endpoints: () => world.endpoints },
      { reserve: 0.05, newestFileTime: clock.now() + newestFileTime }
    )
    return { clock, health, world, watch, codes: () => health.list().map(({ code }) => code) }
  }

  it('raises nothing when all is well', async () => {
    const { watch, codes } = watchWith()
    await watch.start()
    assert.deepEqual(codes(), [])
  })

  it('looks at the disk every minute, and takes back what is over', async () => {
    const { watch, world, clock, codes } = watchWith()
    await watch.start()
    for (const [freeBytes, expected] of [
      [4 * GIB, ['DISK_LOW']],
      [1_000_000, ['DISK_FULL']],
      [50 * GIB, []]
    ] as const) {
      world.freeBytes = freeBytes
      await clock.advance(MINUTE)
      assert.deepEqual(codes(), expected)
    }
    watch.close()
    world.freeBytes = 0
    await clock.advance(MINUTE)
    assert.deepEqual(codes(), [], 'closed, it no longer looks')
  })

  it('tells what the disk lost of the store, once it is open, until it is back', async () => {
    const { watch, clock, health, codes } = watchWith()
    await watch.start()
    const file = (number: number) => ({ name: `segments/00000${number}.seg`, isMissing: number !== 2, blocks: number })
    let own = { blocks: 0, files: [1, 2, 3, 4].map(file) }
    watch.watchStore(() => [
      { realm: 'public', blocks: 3, files: [] },
      { realm: 'own', ...own }
    ])
    assert.deepEqual(codes(), ['CORRUPT_BLOCKS', 'STORE_FILES_LOST'])
    const [corrupt, files] = health.list().map(({ title }) => title)
    assert.match(corrupt ?? '', /: 3 in realm public\./)
    assert.match(
      files ?? '',
      /store\/own\/segments\/000001\.seg is missing \(1 blocks\), store\/own\/segments\/000002\.seg is cut short \(2 blocks\), .*, and 1 more\./
    )
    own = { blocks: 2, files: [] }
    await clock.advance(MINUTE)
    assert.deepEqual(codes(), ['CORRUPT_BLOCKS'])
    assert.match(health.list()[0]?.title ?? '', /3 in realm public, 2 in realm own/)
  })

  it('believes who could not write, until there is room', async () => {
    const { watch, clock, codes } = watchWith()
    await watch.start()
    watch.diskIsFull()
    assert.deepEqual(codes(), ['DISK_FULL'])
    await clock.advance(MINUTE)
    assert.deepEqual(codes(), [])
  })

  it('goes on where the room cannot be learnt', async () => {
    const { watch, world, clock, codes } = watchWith()
    world.fails = true
    await watch.start()
    world.fails = false
    world.freeBytes = 0
    await clock.advance(MINUTE)
    assert.deepEqual(codes(), ['DISK_FULL'])
  })

  it('tells IPFS nodes from gateways, and says nothing of what is not there', async () => {
    const { watch, world, codes } = watchWith()
    world.endpoints = []
    watch.lookAtEndpoints()
    assert.deepEqual(codes(), [])
    world.endpoints = [
      { type: 'kubo', healthy: false },
      { type: 'kubo', healthy: true },
      { type: 'gateway', healthy: false }
    ]
    watch.lookAtEndpoints()
    assert.deepEqual(codes(), ['GATEWAYS_UNREACHABLE'])
    world.endpoints = [
      { type: 'kubo', healthy: false },
      { type: 'gateway', healthy: true }
    ]
    watch.lookAtEndpoints()
    assert.deepEqual(codes(), ['IPFS_UNREACHABLE'])
  })

  it('knows a clock that runs a day behind by the files of the home, until it is set', async () => {
    const { watch, clock, health, codes } = watchWith({ newestFileTime: 24 * HOUR })
    await watch.start()
    assert.match(health.list()[0]?.title ?? '', /24 hours behind \(files of this home are newer/)
    await clock.advance(24 * HOUR)
    assert.deepEqual(codes(), [])
  })

  it('knows a clock that is wrong by what peers say, and lets small differences be', () => {
    const { watch, health, codes } = watchWith()
    watch.clockIsAhead(24 * HOUR)
    assert.match(health.list()[0]?.title ?? '', /24 hours ahead \(several peers/)
    watch.clockIsAhead(-10 * MINUTE)
    assert.match(health.list()[0]?.title ?? '', /10 minutes behind/)
    watch.clockIsAhead(MINUTE)
    assert.deepEqual(codes(), [])
  })

  it('passes on what other parts notice', () => {
    const { watch, codes } = watchWith()
    watch.cacheIsFull(true)
    watch.identityIsDuplicate()
    watch.portHasChanged({ address: '/ip4/0.0.0.0/tcp/0', port: 4331 })
    watch.reachabilityIs('private')
    assert.deepEqual(codes(), ['CACHE_FULL', 'DUPLICATE_IDENTITY', 'PORT_CHANGED', 'NOT_REACHABLE'])
    watch.cacheIsFull(false)
    watch.reachabilityIs('public')
    assert.deepEqual(codes(), ['DUPLICATE_IDENTITY', 'PORT_CHANGED'])
  })
})
