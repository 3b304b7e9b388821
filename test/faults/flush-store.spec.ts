/**
 * Each of the first flushes of a store in turn fails with EIO, or is the last thing its process does. After a failed
 * flush nobody can say what is on the disk (the kernel may drop the pages and report the next flush as done), so what
 * it was for must be written anew, elsewhere, or refused. The faults are injected by strace into a real process.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { memoryDirectory } from './memory-directory.ts'
import { missing, skipIf, succeeds } from './machine.ts'
import { assertCounts, assertKept, live, openStore, signalTo, type Life } from './store-life.ts'

const FLUSHES = 40
/** Nobody waits for the flush of a copy that the store makes to give space back: if it fails, nobody is told. */
const HIT_SHARE_MIN = 0.9
/** Enough for the log of the index and the segments to be flushed more often than that. */
const GROUPS = 48
const ROUND_MS_MAX = 15_000

/** strace counts calls by thread: the segments' flushes must all be made by one. */
const ENV = { UV_THREADPOOL_SIZE: '1' }

const cannotTrace = (): string | undefined =>
  missing('strace') ?? (succeeds('strace', ['-f', '-qq', '-o', '/dev/null', 'true']) ? undefined : 'strace may not trace here')

describe('a store whose flush fails', function () {
  this.timeout(FLUSHES * ROUND_MS_MAX)
  before(function () {
    skipIf(this, cannotTrace())
  })

  for (const [fault, what] of [
    ['error=EIO', 'fails'],
    ['signal=SIGKILL', 'is the last']
  ] as const) {
    it(`loses nothing it acknowledged when one of the first ${FLUSHES} ${what}`, async () => {
      await using directory = await memoryDirectory()
      const lives: Life[] = []
      for (let flush = 1; flush <= FLUSHES; flush++) {
        const home = join(directory.path, `${fault}-${flush}`)
        const earlier = await live({ directory: home, seed: `before ${flush}`, groups: 3, env: compiledIn(directory.path) }, () => {})
        const life = await lifeWithFault(home, fault, flush, earlier, compiledIn(directory.path))
        lives.push(life)
        await using store = await openStore(home)
        await assertKept(store, [earlier, life])
        await assertCounts(store)
      }
      const refused = lives.flatMap(life => life.refused)
      const hit = lives.filter(life => life.refused.length > 0 || !life.isClosed).length
      console.log(`      ${hit} of ${FLUSHES} lives were hit; refused: ${[...new Set(refused)].join(', ') || 'nothing'}`)
      assert.ok(hit >= FLUSHES * HIT_SHARE_MIN)
      assert.ok(refused.every(code => code === 'UNAVAILABLE' || code === 'START_FAILED'))
    })
  }
})

/** After every other failure the process is killed at once, so that what the failure left is what the next one finds. */
async function lifeWithFault(
  directory: string,
  fault: string,
  flush: number,
  earlier: Life,
  env: Readonly<Record<string, string>>
): Promise<Life> {
  const prefix = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=fdatasync,fsync:${fault}:when=${flush}`]
  return await live({ directory, seed: `life ${flush}`, groups: GROUPS, earlier, prefix, env: { ...ENV, ...env } }, (line, pid) => {
    if (line.startsWith('refused') && flush % 2 === 0) signalTo(pid, 'SIGKILL')
  })
}

function compiledIn(directory: string): Readonly<Record<string, string>> {
  return { NODE_COMPILE_CACHE: join(directory, 'compiled') }
}
