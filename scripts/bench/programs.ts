/** How long the programs take to start, and what a daemon weighs that does nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DaemonProcess } from '../lib/daemon-process.ts'
import { MIB } from './files.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'
import { resident } from './memory.ts'

const HELP_TARGET_MS = 150
const START_TARGET_MS = 1_500
const IDLE_TARGET_MIB = 240
const IDLE_GATEWAY_ONLY_TARGET_MIB = 170
const KITH = fileURLToPath(new URL('../../bin/kith.js', import.meta.url))
const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url))

/** `kith --help` with each Node there is: the one that runs this, and the system's own. */
export async function help({ quick, say }: BenchSettings): Promise<Line[]> {
  const runs = quick ? 2 : 10
  const lines: Line[] = []
  for (const node of nodes()) {
    say(`help: ${runs} starts with ${node}`)
    const version = await output(node, ['--version'])
    const times: { readonly kith: number[]; readonly bare: number[] } = { kith: [], bare: [] }
    for (let run = 0; run < runs; run++) {
      times.bare.push(await timed(node, ['-e', '0']))
      times.kith.push(await timed(node, [KITH, '--help']))
    }
    const reference = { name: 'node -e 0', value: median(times.bare) }
    lines.push(
      absoluteLine(
        { case: 'help', name: `kith --help, Node ${version}`, value: median(times.kith), unit: 'ms', runs: times.kith, reference },
        { atMost: HELP_TARGET_MS }
      )
    )
  }
  return lines
}

/** Until the ready line, and what is resident then and after a first call: on the defaults of IPFS, and without IPFS. */
export async function start({ quick, say }: BenchSettings): Promise<Line[]> {
  const runs = quick ? 1 : 3
  const lines: Line[] = []
  for (const [name, set, atMost] of [
    ['helia', [], IDLE_TARGET_MIB],
    ['gateway-only', ['ipfs.type=gateway-only'], IDLE_GATEWAY_ONLY_TARGET_MIB]
  ] as const) {
    const times: { readonly kith: number[]; readonly bare: number[]; readonly rss: number[]; readonly bareRss: number[] } = {
      kith: [],
      bare: [],
      rss: [],
      bareRss: []
    }
    for (let run = 1; run <= runs; run++) {
      say(`start: ${name}, run ${run} of ${runs}`)
      times.bare.push(await timed(process.execPath, ['-e', '0']))
      const startedAt = performance.now()
      await using daemon = await DaemonProcess.start({ set })
      times.kith.push(performance.now() - startedAt)
      await daemon.client.call('daemon.status', {})
      times.rss.push((await resident(daemon.pid)).now / MIB)
      times.bareRss.push(Number(await output(process.execPath, ['-p', 'process.memoryUsage.rss()'])) / MIB)
    }
    const bareNode = { name: 'node -e 0', value: median(times.bare) }
    const bareMemory = { name: 'bare Node', value: median(times.bareRss) }
    lines.push(
      absoluteLine(
        { case: 'start', name: `start until ready, ${name}`, value: median(times.kith), unit: 'ms', runs: times.kith, reference: bareNode },
        { atMost: START_TARGET_MS }
      ),
      absoluteLine(
        { case: 'start', name: `kithd at rest, ${name}`, value: median(times.rss), unit: 'MiB', runs: times.rss, reference: bareMemory },
        { atMost }
      )
    )
  }
  return lines
}

/** Without those of this checkout: npm puts them first in the path. */
function nodes(): string[] {
  const paths = (process.env['PATH'] ?? '').split(':').filter(path => !path.startsWith(MODULES) && !path.includes('node_modules/.bin'))
  const system = paths.map(path => `${path}/node`).find(existsSync)
  return system === undefined || system === process.execPath ? [process.execPath] : [system, process.execPath]
}

async function timed(program: string, args: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(program, args, { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}`)
  return performance.now() - startedAt
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(child, 'close')
  return text.trim()
}
