/**
 * Power losses on a file system of its own: ext4 on a file, told by an ioctl to forget everything that was not flushed,
 * its journal included, while the store is written. After the next mount, all that was acknowledged is there.
 * The writer is stopped between two system calls first: the ioctl lets an fsync that is under way return 0 though its
 * transaction is thrown away (ext4 looks for the shutdown at the start of the call only), which no power loss does.
 * KITH_POWER_LOSSES sets the rounds, KITH_SEED what is drawn.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MIB } from '../../src/model/units.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { Dice, SEED } from './dice.ts'
import { cannotMount, missing, run, skipIf, succeeds } from './machine.ts'
import { assertCounts, assertKept, live, openStore, signalTo, type Life } from './store-life.ts'

const LOSSES = Number(process.env['KITH_POWER_LOSSES'] ?? 50)
const IMAGE_BYTES = 256 * MIB
/** The power goes after one of the first so many lines of the child. */
const LINES_MAX = 25
const RECENT = 3
const ROUND_MS_MAX = 20_000
/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more reaches the disk (linux/fs/ext4/ext4.h). */
const SHUTDOWN = "import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))"

class Disk implements AsyncDisposable {
  readonly path: string
  readonly #image: string
  #isMounted = false

  private constructor(folder: string) {
    this.path = join(folder, 'disk')
    this.#image = join(folder, 'image')
  }

  static async make(folder: string): Promise<Disk> {
    const disk = new Disk(folder)
    await mkdir(disk.path)
    await writeFile(disk.#image, '')
    await truncate(disk.#image, IMAGE_BYTES)
    run('mkfs.ext4', ['-q', disk.#image])
    disk.mount()
    return disk
  }

  mount(): void {
    run('mount', ['-o', 'loop', this.#image, this.path])
    this.#isMounted = true
  }

  unmount(): void {
    if (this.#isMounted) run('umount', [this.path])
    this.#isMounted = false
  }

  async losePower(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    execFile('python3', ['-c', SHUTDOWN, this.path], error => {
      if (error === null) resolve()
      else reject(error)
    })
    await promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unmount()
  }
}

describe('a store whose machine loses power', () => {
  it(`loses nothing it acknowledged, ${LOSSES} times`, async function () {
    this.timeout(60_000 + LOSSES * ROUND_MS_MAX)
    await using directory = await temporaryDirectory()
    skipIf(this, missing('mkfs.ext4', 'python3', 'mount') ?? cannotMount() ?? (await cannotShutDown(directory.path)))
    await using disk = await Disk.make(directory.path)
    const dice = new Dice(SEED)
    const lives: Life[] = []
    for (let round = 0; round < LOSSES; round++) {
      lives.push(await lifeUntilPowerLoss(disk, `life ${round}`, lives.at(-1), dice, join(directory.path, 'compiled')))
      disk.unmount()
      disk.mount()
      await using store = await openStore(join(disk.path, 'store'))
      await assertKept(store, lives.slice(-RECENT))
    }
    {
      await using store = await openStore(join(disk.path, 'store'))
      await assertKept(store, lives)
      await assertCounts(store)
    }
    const groups = lives.reduce((sum, life) => sum + life.groups, 0)
    console.log(`      ${LOSSES} power losses, ${groups} acknowledgements (KITH_SEED=${SEED})`)
    assert.ok(groups > LOSSES)
  })
})

async function lifeUntilPowerLoss(disk: Disk, seed: string, earlier: Life | undefined, dice: Dice, cache: string): Promise<Life> {
  const lossAt = 2 + dice.below(LINES_MAX)
  let seen = 0
  let loss: Promise<void> | undefined
  const life = await live({ directory: join(disk.path, 'store'), seed, earlier, env: { NODE_COMPILE_CACHE: cache } }, (_line, pid) => {
    if (++seen === lossAt)
      loss = stop(pid)
        .then(async () => {
          await disk.losePower()
        })
        .finally(() => {
          signalTo(pid, 'SIGKILL')
        })
  })
  await loss
  return life
}

/** When it returns, none of its threads is in a system call. */
async function stop(pid: number): Promise<void> {
  signalTo(pid, 'SIGSTOP')
  const isStopped = async (): Promise<boolean> => {
    const tasks = await readdir(`/proc/${pid}/task`)
    const states = await Promise.all(tasks.map(async task => await readFile(`/proc/${pid}/task/${task}/stat`, 'utf8')))
    return states.every(state => /\) [Tt] /.test(state))
  }
  while (!(await isStopped())) await nextTurn()
}

/** Tried on a disk of its own, since some kernels lack the ioctl. */
async function cannotShutDown(folder: string): Promise<string | undefined> {
  const trial = join(folder, 'trial')
  await mkdir(trial)
  if (!succeeds('modprobe', ['-q', 'loop']) && !succeeds('test', ['-e', '/dev/loop-control'])) return 'no loop devices'
  try {
    await using disk = await Disk.make(trial)
    await disk.losePower()
    return undefined
  } catch (error) {
    return `no ext4 image can be mounted and shut down here (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`
  }
}
