/**
 * Puts blocks and records until it is killed, and says on stdout, a line each, what was acknowledged as durable:
 * `FIRST LAST` block numbers of this life. Arguments: directory, seed.
 */
import { writeSync } from 'node:fs'
import { openRealmStore } from '../../src/adapters/store/realm-store.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { silentLog } from '../support/silent-log.ts'
import { numberedBlock, recordFor } from './numbered-block.ts'

const [directory = '', seed = ''] = process.argv.slice(2)
const store = await openRealmStore({ clock: systemClock, log: silentLog }, { directory, realm: 'own', segmentBytes: 4 * 1024 * 1024 })
writeSync(1, 'open\n')
for (let first = 0; ; first += 20) {
  for (let number = first; number < first + 20; number++) {
    await store.blocks.put(numberedBlock(seed, number))
    if (number % 7 === 6) await store.blocks.delete(numberedBlock(seed, number - 3).cid)
  }
  if (first % 40 === 0) await store.blocks.flush()
  else await store.records.put(recordFor(seed, first))
  writeSync(1, `${first} ${first + 19}\n`)
}
