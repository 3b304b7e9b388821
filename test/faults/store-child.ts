/**
 * Puts blocks and records, deletes some, and most of what an earlier life left, until it is killed or has done what
 * it was asked for. Says on stdout, a line each, what happened; `ack` is what the store acknowledged as durable.
 * Arguments: directory, seed, groups (0: no end), seed of the earlier life, its blocks.
 */
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { KithError } from '../../src/errors.ts'
import type { Log } from '../../src/ports/log.ts'
import type { RealmStore } from '../../src/ports/record-store.ts'
import { silentLog } from '../support/silent-log.ts'
import { GROUP, isDeletedOfEarlier, isDeletedOfOwn, numberedBlock, OWN_DELAY, recordFor, SEGMENT_BYTES } from './numbered-block.ts'

const [directory = '', seed = '', groups = '0', earlier = '', earlierBlocks = '0'] = process.argv.slice(2)

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** What a caller can be told; anything else ends the process with a stack. */
function refused(error: unknown): void {
  if (!(error instanceof KithError)) throw error
  say(`refused ${error.code}`)
}

const log: Log = {
  ...silentLog,
  debug: (_fields: object, message: string) => {
    if (message.startsWith('rewriting a segment')) say('compacting')
    if (message.startsWith('rewrote a segment')) say('compacted')
  }
}

async function runGroup(store: RealmStore, group: number): Promise<void> {
  const first = group * GROUP
  for (let number = first; number < first + GROUP; number++) {
    await store.blocks.put(numberedBlock(seed, number))
    if (isDeletedOfOwn(number - OWN_DELAY)) await store.blocks.delete(numberedBlock(seed, number - OWN_DELAY).cid)
    if (number < Number(earlierBlocks) && isDeletedOfEarlier(number)) await store.blocks.delete(numberedBlock(earlier, number).cid)
  }
  if (group % 2 === 0) await store.blocks.flush()
  else await store.records.put(recordFor(seed, group))
  say(`ack ${group}`)
}

async function main(): Promise<void> {
  const store = await openRealmStore({ clock: systemClock, log }, { directory, realm: 'own', segmentBytes: SEGMENT_BYTES })
  flushCompileCache() // a process that is killed does not come to it at its end
  say(`open ${process.pid}`)
  const end = groups === '0' ? Infinity : Number(groups)
  for (let group = 0; group < end; group++) await runGroup(store, group).catch(refused)
  await store[Symbol.asyncDispose]()
  say('closed')
}

await main().catch(refused)
