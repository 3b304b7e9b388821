/** A large file between two daemons: as fast as the wire allows, and faster than bitswap. */
import { MIB, Scratch, settleDisk } from './files.ts'
import { median, rateOf, ratioLine, type BenchSettings, type Line } from './measure.ts'
import { DaemonPair } from './pair.ts'
import { HeliaPair, StreamPair } from './references.ts'

/** It takes ten times as long as the others. */
const HELIA_RUNS = 3

export async function transfer({ quick, say }: BenchSettings): Promise<Line[]> {
  const [bytes, runs] = quick ? [32 * MIB, 1] : [256 * MIB, 5]
  await using scratch = await Scratch.make()
  await using stream = await StreamPair.start()
  await using helia = await HeliaPair.start()
  await using pair = await DaemonPair.start()
  await stream.send(16 * MIB) // both sides of the comparison begin with a warm process
  await pair.get(await pair.put(await scratch.file(16 * MIB)))
  const rates: { readonly bare: number[]; readonly kith: number[]; readonly helia: number[] } = { bare: [], kith: [], helia: [] }
  for (let run = 1; run <= runs; run++) {
    say(`transfer: run ${run} of ${runs}`)
    const path = await scratch.file(bytes)
    const cid = await pair.put(path)
    await settleDisk()
    rates.bare.push(rateOf(bytes, (await stream.send(bytes)).ms))
    rates.kith.push(rateOf(bytes, (await pair.get(cid)).ms))
    if (run <= HELIA_RUNS) {
      const heliaCid = await helia.add(path)
      await settleDisk()
      rates.helia.push(rateOf(bytes, (await helia.cat(heliaCid)).ms))
    }
    await scratch.remove(path)
  }
  const size = `${bytes / MIB} MiB`
  const kith = { case: 'transfer', value: median(rates.kith), unit: 'MB/s', runs: rates.kith }
  return [
    ratioLine(
      { ...kith, name: `${size} file, store to store`, reference: { name: 'bare stream over stock noise', value: median(rates.bare) } },
      { atLeast: 0.5 }
    ),
    ratioLine(
      { ...kith, name: `${size} file, store to store`, reference: { name: 'Helia bitswap, file store', value: median(rates.helia) } },
      { atLeast: 2 }
    )
  ]
}
