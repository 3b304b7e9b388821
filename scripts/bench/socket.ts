/** Calls of apps on this machine: small contents out, contents in. */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { LineClient } from '../../src/rpc/client-lines.ts'
import { DaemonProcess } from '../lib/daemon-process.ts'
import { MIB, Scratch } from './files.ts'
import { absoluteLine, median, rateOf, type BenchSettings, type Line } from './measure.ts'
import { PeerProcess } from './peer-process.ts'

const SMALL_BYTES = 1024
const RUNS = 3

/** Local gets of 1 KiB over the socket, one after another and 64 at once. */
export async function localGet({ quick, say }: BenchSettings): Promise<Line[]> {
  await using scratch = await Scratch.make()
  await using echo = new PeerProcess('echo-peer.ts')
  const echoPath = join(scratch.path, 'echo.sock')
  await echo.call('listen', echoPath, String(SMALL_BYTES))
  await using daemon = await DaemonProcess.start()
  const { uri } = await daemon.client.call('content.put', { data: randomBytes(SMALL_BYTES).toString('base64') })
  const bare = await LineClient.open(echoPath)
  const lines: Line[] = []
  for (const [inFlight, target] of [
    [1, 3_000],
    [64, 15_000]
  ] as const) {
    const calls = (quick ? 500 : 5_000) * (inFlight === 1 ? 1 : 3)
    const rates: { readonly kith: number[]; readonly bare: number[] } = { kith: [], bare: [] }
    for (let run = 0; run <= RUNS; run++) {
      say(`local-get: ${inFlight} in flight, run ${run}${run === 0 ? ' (warm-up)' : ''}`)
      const reference = await callRate(calls, inFlight, async () => {
        await bare.call('get', { content: uri })
      })
      const kith = await callRate(calls, inFlight, async () => {
        await daemon.client.call('content.get', { content: uri })
      })
      if (run === 0) continue
      rates.bare.push(reference)
      rates.kith.push(kith)
    }
    lines.push(
      absoluteLine(
        {
          case: 'local-get',
          name: `content.get of 1 KiB, local, ${inFlight} in flight`,
          value: median(rates.kith),
          unit: 'calls/s',
          runs: rates.kith,
          reference: { name: 'bare JSON lines', value: median(rates.bare) }
        },
        { atLeast: target }
      )
    )
  }
  bare.close()
  return lines
}

/** Durable puts, compared with writing the same bytes to a file and flushing it. */
export async function put({ quick, say }: BenchSettings): Promise<Line[]> {
  await using scratch = await Scratch.make()
  await using daemon = await DaemonProcess.start()
  const lines: Line[] = []
  const sizes = [
    [4096, '4 KiB', 1, 200],
    [4096, '4 KiB', 64, 2_000],
    [MIB, '1 MiB', 1, 32]
  ] as const
  for (const [bytes, name, inFlight, count] of sizes) {
    const calls = quick ? Math.ceil(count / 10) : count
    const rates: { readonly kith: number[]; readonly bare: number[] } = { kith: [], bare: [] }
    for (let run = 1; run <= RUNS; run++) {
      say(`put: ${name}, ${inFlight} in flight, run ${run}`)
      await using file = await open(join(scratch.path, `flushed-${name}-${inFlight}-${run}`), 'w')
      rates.bare.push(
        await callRate(quick ? 5 : 50, 1, async () => {
          await file.write(randomBytes(bytes))
          await file.datasync()
        })
      )
      rates.kith.push(
        await callRate(calls, inFlight, async () => {
          await daemon.client.call('content.put', { data: randomBytes(bytes).toString('base64') })
        })
      )
    }
    const reference = { name: 'write and fdatasync, one at a time', value: median(rates.bare) }
    lines.push(
      absoluteLine({
        case: 'put',
        name: `content.put of ${name}, ${inFlight} in flight`,
        value: median(rates.kith),
        unit: 'calls/s',
        runs: rates.kith,
        reference
      })
    )
  }
  say('put: a file by its path')
  const size = (quick ? 32 : 256) * MIB
  const startedAt = performance.now()
  const path = await scratch.file(size)
  const made = performance.now()
  await daemon.client.call('content.put', { path })
  lines.push(
    absoluteLine({
      case: 'put',
      name: `content.put of a file of ${size / MIB} MiB by path`,
      value: rateOf(size, performance.now() - made),
      unit: 'MB/s',
      reference: { name: 'drawing and writing it', value: rateOf(size, made - startedAt) }
    })
  )
  return lines
}

async function callRate(calls: number, inFlight: number, call: () => Promise<void>): Promise<number> {
  let left = calls
  const lane = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: inFlight }, lane))
  return (calls * 1000) / (performance.now() - startedAt)
}
