/**
 * Measures Kith between real processes on this machine. Machines differ and are shared, so that every figure stands
 * beside a reference measured in the same run; docs/benchmarks.md says how to read them.
 *
 *   npm run bench -- [--quick] [--json] [--only NAME]…
 */
import { parseArgs } from 'node:util'
import { adverts } from './bench/adverts.ts'
import { bulk } from './bench/bulk.ts'
import { firstByte } from './bench/first-byte.ts'
import { gossip } from './bench/gossip.ts'
import { printLine, type BenchCase, type Line } from './bench/measure.ts'
import { memory } from './bench/memory.ts'
import { help, start } from './bench/programs.ts'
import { rank } from './bench/rank.ts'
import { reopen } from './bench/reopen.ts'
import { smallBlocks } from './bench/small-blocks.ts'
import { localGet, put } from './bench/socket.ts'
import { transfer } from './bench/transfer.ts'

const CASES: Readonly<Record<string, BenchCase>> = {
  transfer,
  'first-byte': firstByte,
  memory,
  help,
  'small-blocks': smallBlocks,
  put,
  bulk,
  reopen,
  'local-get': localGet,
  rank,
  start,
  gossip,
  adverts
}

const { values } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, only: { type: 'string', multiple: true }, help: { type: 'boolean' } }
})
const names = values.only ?? Object.keys(CASES)
const unknown = names.find(name => CASES[name] === undefined)
if (values.help === true || unknown !== undefined) {
  if (unknown !== undefined) console.error(`there is no case "${unknown}"`)
  console.error(`npm run bench -- [--quick] [--json] [--only NAME]…\ncases: ${Object.keys(CASES).join(' ')}`)
  process.exit(unknown === undefined ? 0 : 2)
}

const settings = {
  quick: values.quick ?? false,
  say: (text: string): void => {
    if (process.stderr.isTTY) console.error(text)
  }
}
const lines: Line[] = []
let failed = 0
const startedAt = performance.now()
for (const name of names) {
  const made = await measure(name)
  lines.push(...made)
  if (values.json !== true) for (const line of made) console.log(printLine(line))
}
const missed = lines.filter(line => line.met === false).length
const seconds = Math.round((performance.now() - startedAt) / 1000)
if (values.json === true)
  console.log(
    JSON.stringify({
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      quick: settings.quick,
      seconds,
      missed,
      failed,
      lines
    })
  )
else if (failed > 0) console.log(`\n${failed} of ${names.length} cases failed (${seconds} s)`)
else
  console.log(
    `\n${missed === 0 ? 'every target was met' : `${missed} of ${lines.filter(line => line.met !== undefined).length} targets were missed`} (${seconds} s, Node ${process.version})`
  )
process.exitCode = missed === 0 && failed === 0 ? 0 : 1

/** A case that breaks does not take the others with it. */
async function measure(name: string): Promise<Line[]> {
  try {
    return (await CASES[name]?.(settings)) ?? []
  } catch (error) {
    failed++
    console.error(`${name} failed:`, error)
    return []
  }
}
