/**
 * Those who never heard of Kith, each in a process of its own: a Helia node that serves by bitswap, and a trustless
 * HTTP gateway. Both hold what is in the files named, in memory. Run as a program this file is the process; imported
 * it starts one.
 *
 * Parent and process talk over the channel of `fork`: first `{at}`, where it can be reached, then `{cids}`, when it
 * holds everything. The process ends with the channel.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { isRecord } from '../../src/rpc/error-body.ts'

const HERE = fileURLToPath(import.meta.url)
/** A start that takes longer has failed. Milliseconds. */
const START_MS_MAX = 20_000

export type PlainKind = 'helia' | 'gateway'

interface Found {
  readonly at: string
  readonly cids: Promise<readonly string[]>
}

export class PlainNode implements AsyncDisposable {
  /** Multiaddr or URL. */
  readonly at: string
  /** The root of each file, in the order given, once all are held. */
  readonly cids: Promise<readonly string[]>
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, { at, cids }: Found) {
    this.#child = child
    this.at = at
    this.cids = cids
  }

  /** Resolves when it can be reached. @param port - a gateway may come back to the port it had */
  static async start(kind: PlainKind, files: readonly string[], port = 0): Promise<PlainNode> {
    const child = fork(HERE, [kind, String(port), ...files], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    try {
      return new PlainNode(child, await listen(child, kind))
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGKILL')
  }
}

/** What the process tells about itself. */
async function listen(child: ChildProcess, kind: PlainKind): Promise<Found> {
  const at = Promise.withResolvers<string>()
  const cids = Promise.withResolvers<readonly string[]>()
  cids.promise.catch(() => {}) // heard by whoever waits for it
  const fail = (why: string): void => {
    clearTimeout(late)
    for (const { reject } of [at, cids]) reject(new Error(`the ${kind} node ${why}`))
  }
  const late = setTimeout(() => fail(`was not ready within ${START_MS_MAX / 1000} s`), START_MS_MAX)
  child.on('exit', () => fail('ended'))
  child.on('error', error => fail(`does not start: ${error.message}`))
  child.on('message', message => {
    if (!isRecord(message)) return
    if (typeof message['at'] === 'string') at.resolve(message['at'])
    if (!Array.isArray(message['cids'])) return
    clearTimeout(late)
    cids.resolve(message['cids'].map(String))
  })
  return { at: await at.promise, cids: cids.promise }
}

/** The process itself. */
async function run([kind = '', port = '0', ...files]: readonly string[]): Promise<void> {
  process.once('disconnect', () => process.exit())
  const add = kind === 'helia' ? await runHelia() : await runGateway(Number(port))
  const cids: string[] = []
  for (const file of files) cids.push(await add(await readFile(file)))
  tell({ cids })
}

type Add = (bytes: Uint8Array) => Promise<string>

async function runHelia(): Promise<Add> {
  const { startHeliaNode } = await import('../../test/support/helia-node.ts')
  const node = await startHeliaNode()
  tell({ at: String(node.libp2p.getMultiaddrs()[0]) })
  return async bytes => String(await node.add(bytes))
}

async function runGateway(port: number): Promise<Add> {
  const { startTrustlessGateway } = await import('../../test/support/trustless-gateway.ts')
  const { fileDag } = await import('../../test/support/dag-builder.ts')
  const gateway = await startTrustlessGateway(new Map(), port)
  tell({ at: gateway.url })
  return async content => {
    const { root, blocks } = await fileDag(content)
    for (const { cid, bytes } of blocks.values()) gateway.put(cid, bytes)
    return root.toString()
  }
}

function tell(message: Readonly<Record<string, unknown>>): void {
  process.send?.(message)
}

if (process.argv[1] === HERE) await run(process.argv.slice(2))
