/** What tests of real daemons share: bytes on disk, errors as values, peers that see every question. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import { KithError } from '../../src/errors.ts'
import { ExchangeServer } from '../../src/exchange/server.ts'
import type { KithEvent } from '../../src/rpc/client.ts'
import { RawLines } from '../support/raw-lines.ts'
import { silentLog } from '../support/silent-log.ts'
import { MemoryContent, startTestHost } from './exchange-support.ts'

export const MIB = 1_048_576
/** What has not come about by then does not come: only how long a hung test hangs. Milliseconds. */
const HUNG_MS = 50_000
/**
 * For tests that say a peer delivers: IPFS is asked when the peers have failed, not when they are slow as well. What is
 * public a daemon gives by both ways, and which is first depends on the machine.
 */
export const PEERS_ALONE = ['routing.ipfsDelay=60s']
const { pid } = process
/**
 * Loopback of this process alone, where all of 127/8 is this machine: what a daemon lets go of for a moment, and is to
 * get back, nobody else draws meanwhile.
 */
export const OWN_LOOPBACK = process.platform === 'linux' ? `127.${64 + ((pid >> 16) & 63)}.${(pid >> 8) & 255}.${pid & 255}` : '127.0.0.1'
/** For daemons that are to keep their port over a restart. */
export const KEPT_PORT = `network.listen=/ip4/${OWN_LOOPBACK}/tcp/0`
/** Leaves of {@link writeBig} repeat after this much; each copy is marked, so that no two are equal. */
const PATTERN_BYTES = MIB

/** The error a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<KithError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof KithError) return error
    throw error
  }
  throw new Error('it was expected to fail')
}

/** `count` bytes of value 7, as the vectors of the address format use. */
export function sevens(count: number): Uint8Array {
  return new Uint8Array(count).fill(7)
}

export function base64(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString('base64')
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Writes a file of distinct 1 MiB blocks without holding it. @returns its SHA-256 */
export async function writeBig(path: string, mebibytes: number, seed = 1): Promise<string> {
  const block = Buffer.alloc(PATTERN_BYTES, `block of ${seed} `)
  const hash = createHash('sha256')
  await using file = await open(path, 'wx')
  for (let index = 0; index < mebibytes; index++) {
    block.writeUInt32LE(index, 0)
    hash.update(block)
    await file.write(block)
  }
  return hash.digest('hex')
}

export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: MIB })) hash.update(chunk)
  return hash.digest('hex')
}

/** One HTTP request to a daemon's socket. */
export async function http(
  daemon: DaemonProcess,
  method: string,
  path: string,
  { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: Uint8Array } = {}
): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: daemon.ready.socket, method, path, headers, agent: false }, response => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => {
        parts.push(part)
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) })
      })
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** The next event of a daemon that fits; ask before you make it happen, await it after. */
export async function nextEvent(daemon: DaemonProcess, type: string, fits: (event: KithEvent) => boolean = () => true): Promise<KithEvent> {
  const signal = AbortSignal.timeout(HUNG_MS)
  for await (const event of daemon.client.events({ types: [type], since: 0 }, { signal })) {
    if (fits(event)) return event
  }
  throw new Error(`no fitting event of type ${type} came`)
}

/** Asks until the answer fits: for what comes about by itself, and nobody tells of. */
export async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + HUNG_MS
  for (;;) {
    const answer = await ask()
    if (fits(answer)) return answer
    if (performance.now() > end) throw new Error(`it did not come about; the last answer was ${JSON.stringify(answer)}`)
  }
}

/** A node lets its apps publish 32 times a second for as long as they like: this often nobody is refused. Milliseconds. */
const PUBLISH_EVERY_MS = 40

/** Publishes until a peer is known that listens: who joins tells the others, which takes a moment. */
export async function publishOnceHeard(daemon: DaemonProcess, topic: string, text: string): Promise<void> {
  for (;;) {
    const { peers } = await daemon.client.call('pubsub.publish', { topic, data: base64(text) })
    if (peers > 0) return
    await pause(PUBLISH_EVERY_MS)
  }
}

/** Until what the one gossips reaches the other. Before, it is lost: who comes later asks once, when it connects. */
export async function gossipFlows(from: DaemonProcess, to: DaemonProcess): Promise<void> {
  const topic = 'is anybody there'
  using lines = await RawLines.open(to.ready.socket)
  assert.equal((await lines.ask('pubsub.subscribe', { topic })).error, undefined)
  await publishOnceHeard(from, topic, 'hello')
}

/** A Kith peer in this process: counts every question it is asked, and serves what the test gives it. */
export interface Witness extends AsyncDisposable {
  readonly host: Host
  readonly content: MemoryContent
  /** Times anything was looked up for a peer. */
  readonly questions: () => number
}

export async function startWitness(): Promise<Witness> {
  const host = await startTestHost()
  const content = new MemoryContent()
  let questions = 0
  const server = new ExchangeServer({
    network: host,
    clock: systemClock,
    log: silentLog,
    policy: {
      viewFor: () => {
        questions++
        return content.viewFor()
      },
      advert: () => content.currentAdvert
    }
  })
  await server.start()
  return {
    host,
    content,
    questions: () => questions,
    [Symbol.asyncDispose]: async () => {
      server.stop()
      await host.stop()
    }
  }
}

/** Two daemons on loopback, the second connected to the first; each knows what the other speaks. */
export async function startPair(set: readonly string[] = []): Promise<{ a: DaemonProcess; b: DaemonProcess } & AsyncDisposable> {
  const [a, b] = await Promise.all([DaemonProcess.start({ set }), DaemonProcess.start({ set })])
  await b.client.call('peers.connect', { address: a.address })
  // Who dialled knows the other by now. Who was dialled learns in its own time.
  await nextEvent(a, 'peer.connected', ({ peerId }) => peerId === b.ready.peerId)
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()])
    }
  }
}
