/** How long a connected peer takes until its first verified byte is here. */
import { MIB, Scratch, settleDisk } from './files.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'
import { DaemonPair } from './pair.ts'
import { StreamPair } from './references.ts'

const TARGET_MS = 10

export async function firstByte({ quick, say }: BenchSettings): Promise<Line[]> {
  const runs = quick ? 3 : 20
  await using scratch = await Scratch.make()
  await using stream = await StreamPair.start()
  await using pair = await DaemonPair.start()
  const lines: Line[] = []
  for (const [name, bytes] of [
    ['4 KiB', 4096],
    ['12 MiB', 12 * MIB]
  ] as const) {
    say(`first-byte: ${runs} files of ${name}`)
    const times: { readonly kith: number[]; readonly bare: number[] } = { kith: [], bare: [] }
    for (let run = 0; run < runs; run++) {
      const path = await scratch.file(bytes)
      const cid = await pair.put(path)
      await settleDisk()
      times.bare.push((await stream.send(bytes)).firstMs)
      times.kith.push((await pair.get(cid)).firstMs)
      await scratch.remove(path)
    }
    const reference = { name: 'bare stream over stock noise', value: median(times.bare) }
    lines.push(
      absoluteLine(
        {
          case: 'first-byte',
          name: `first byte of ${name} from a connected peer`,
          value: median(times.kith),
          unit: 'ms',
          runs: times.kith,
          reference
        },
        { atMost: TARGET_MS }
      )
    )
  }
  return lines
}
