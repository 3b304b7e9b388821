/**
 * A real daemon in a process of its own, in a temporary home, for tests, the demo and the benchmarks.
 * Whoever starts one disposes of it: the process ends and the home goes.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect, type KithClient } from '../../src/rpc/client.ts'

const CHECKOUT = new URL('../../', import.meta.url).pathname
/** A start that takes longer has failed, on a busy machine as well; the daemon’s log then tells why. Milliseconds. */
const START_MS_MAX = 60_000

export interface DaemonSettings {
  /** `key=value` for `--set`, on top of configs/isolated.yaml. */
  readonly set?: readonly string[]
  /** Another configuration file; a path. */
  readonly config?: string
  /** Keep this home instead of a temporary one; it is not removed. */
  readonly home?: string
}

export interface ReadyLine {
  readonly ready: true
  readonly socket: string
  readonly peerId: string
  readonly did: string
  readonly addresses: readonly string[]
  readonly http: string | null
}

export class DaemonProcess implements AsyncDisposable {
  readonly home: string
  readonly ready: ReadyLine
  readonly client: KithClient
  readonly #child: ChildProcess
  readonly #closed: Promise<void>
  readonly #ownsHome: boolean
  readonly #log: string[]

  private constructor(parts: {
    home: string
    ready: ReadyLine
    client: KithClient
    child: ChildProcess
    closed: Promise<void>
    ownsHome: boolean
    log: string[]
  }) {
    this.home = parts.home
    this.ready = parts.ready
    this.client = parts.client
    this.#child = parts.child
    this.#closed = parts.closed
    this.#ownsHome = parts.ownsHome
    this.#log = parts.log
  }

  static async start(settings: DaemonSettings = {}): Promise<DaemonProcess> {
    const home = settings.home ?? (await mkdtemp(join(tmpdir(), 'kith-')))
    const sets = (settings.set ?? []).flatMap(pair => ['--set', pair])
    const config = settings.config ?? join(CHECKOUT, 'configs', 'isolated.yaml')
    const child = spawn(process.execPath, [join(CHECKOUT, 'bin', 'kithd.js'), '--home', home, '--config', config, '--json', ...sets], {
      // The channel is how the daemon sees that whoever started it is gone, and ends too.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...cleanEnvironment(), KITHD_LAUNCHED: '1' }
    })
    // Not the exit: what it wrote last may still be on its way then.
    const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
    const log: string[] = []
    if (child.stderr !== null)
      createInterface({ input: child.stderr }).on('line', line => {
        log.push(line)
      })
    try {
      const ready = await firstLine(child, log)
      const client = await connect({ socket: ready.socket })
      return new DaemonProcess({ home, ready, client, child, closed, ownsHome: settings.home === undefined, log })
    } catch (error) {
      child.kill('SIGKILL')
      if (settings.home === undefined) await rm(home, { recursive: true, force: true })
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }
  get address(): string {
    return this.ready.addresses[0] ?? ''
  }
  /** What the daemon wrote to stderr so far. */
  get log(): readonly string[] {
    return this.#log
  }
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits for it to end by itself; all it wrote is here then. @returns the exit code, null after a signal */
  async ended(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }

  /** Sends a signal and waits for the end. @returns the exit code, null after a signal */
  async kill(signal: NodeJS.Signals): Promise<number | null> {
    if (this.isRunning) this.#child.kill(signal)
    return await this.ended()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close()
    await this.kill('SIGKILL')
    if (this.#ownsHome) await rm(this.home, { recursive: true, force: true })
  }
}

/** Settings of the person who runs this must not reach the daemons. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(KITH|IPFS|PRSM)_/.test(name)))
}

async function firstLine(child: ChildProcess, log: readonly string[]): Promise<ReadyLine> {
  if (child.stdout === null) throw new Error('the daemon has no stdout')
  const lines = createInterface({ input: child.stdout })
  const late = AbortSignal.timeout(START_MS_MAX)
  const line = once(lines, 'line', { signal: late })
  const ended = once(child, 'exit', { signal: late }).then(() => {
    throw new Error(`the daemon ended before it was ready:\n${log.join('\n')}`)
  })
  ended.catch(() => {}) // after the line it may end whenever it likes
  const [text] = await Promise.race([line, ended])
  return JSON.parse(String(text)) as ReadyLine
}
