/** Ten thousand small blocks between two daemons, where round trips and the store count and the wire does not. */
import { join } from 'node:path'
import { Scratch, settleDisk } from './files.ts'
import { median, ratioLine, type BenchSettings, type Line } from './measure.ts'
import { DaemonPair } from './pair.ts'
import { HeliaPair } from './references.ts'

const BLOCK_BYTES = 4096
const TARGET_RATIO = 8

export async function smallBlocks({ quick, say }: BenchSettings): Promise<Line[]> {
  const [count, runs] = quick ? [1_000, 1] : [10_000, 3]
  await using scratch = await Scratch.make()
  await using helia = await HeliaPair.start()
  await using pair = await DaemonPair.start()
  const rates: { readonly kith: number[]; readonly helia: number[] } = { kith: [], helia: [] }
  for (let run = 1; run <= runs; run++) {
    say(`small-blocks: run ${run} of ${runs}`)
    const path = await scratch.folder(count, BLOCK_BYTES)
    const cid = await pair.put(path)
    await settleDisk()
    rates.kith.push((count * 1000) / (await pair.getFolder(cid, join(scratch.path, `out-${run}`))).ms)
    const heliaCid = await helia.addFolder(path)
    await settleDisk()
    const { ms, bytes } = await helia.fetchFolder(heliaCid)
    if (bytes !== count * BLOCK_BYTES) throw new Error(`bitswap brought ${bytes} bytes`)
    rates.helia.push((count * 1000) / ms)
    await scratch.remove(path)
  }
  const reference = { name: 'Helia bitswap, file store', value: median(rates.helia) }
  return [
    ratioLine(
      {
        case: 'small-blocks',
        name: `${count} files of 4 KiB, store to store`,
        value: median(rates.kith),
        unit: 'blocks/s',
        runs: rates.kith,
        reference
      },
      { atLeast: TARGET_RATIO }
    )
  ]
}
