/** What a large transfer adds to the memory of either daemon. Linux only: it reads /proc. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { DaemonProcess } from '../lib/daemon-process.ts'
import { MIB, Scratch } from './files.ts'
import { absoluteLine, type BenchSettings, type Line } from './measure.ts'
import { DaemonPair } from './pair.ts'

const TARGET_MIB = 250
/** Between two looks; the kernel keeps the peak besides. Milliseconds. */
const SAMPLE_MS = 50

interface Resident {
  readonly now: number
  readonly peak: number
}

export async function memory({ quick, say }: BenchSettings): Promise<Line[]> {
  const bytes = (quick ? 128 : 1024) * MIB
  await using scratch = await Scratch.make()
  const home = `${scratch.path}/home`
  say(`memory: putting ${bytes / MIB} MiB`)
  const cid = await putThere(home, await scratch.file(bytes))
  // Started again: what the put needed must not hide what the transfer needs.
  await using pair = await DaemonPair.start(home)
  const pids = { owner: pair.owner.pid, asker: pair.asker.pid }
  const before = { owner: await resident(pids.owner), asker: await resident(pids.asker) }
  say('memory: transferring')
  const highest = { owner: before.owner.now, asker: before.asker.now }
  const done = new AbortController()
  const sampling = sample(pids, highest, done.signal)
  await pair.get(cid)
  done.abort()
  await sampling
  const after = { owner: await resident(pids.owner), asker: await resident(pids.asker) }
  return (['owner', 'asker'] as const).map(side => {
    const added = Math.max(highest[side], after[side].peak > before[side].peak ? after[side].peak : 0) - before[side].now
    return absoluteLine(
      {
        case: 'memory',
        name: `${bytes / MIB} MiB transfer adds to the ${side === 'owner' ? 'sender' : 'receiver'}`,
        value: added / MIB,
        unit: 'MiB',
        reference: { name: 'before, MiB', value: before[side].now / MIB }
      },
      { atMost: TARGET_MIB }
    )
  })
}

async function putThere(home: string, path: string): Promise<string> {
  await using daemon = await DaemonProcess.start({ home })
  const { cid } = await daemon.client.call('content.put', { path, privacy: 'public' })
  await daemon.kill('SIGTERM')
  return cid
}

async function sample(
  pids: { readonly owner: number; readonly asker: number },
  highest: { owner: number; asker: number },
  signal: AbortSignal
): Promise<void> {
  while (!signal.aborted) {
    for (const side of ['owner', 'asker'] as const) highest[side] = Math.max(highest[side], (await resident(pids[side])).now)
    await delay(SAMPLE_MS, undefined, { signal }).catch(() => {}) // aborted: the transfer is over
  }
}

/** Bytes in memory now and at most since the process began. */
export async function resident(pid: number): Promise<Resident> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN)
  return { now: kib('VmRSS') * 1024, peak: kib('VmHWM') * 1024 }
}
