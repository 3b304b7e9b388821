/**
 * The process edge of kithd: arguments, environment, signals, the ready line, the exit code.
 * The only file that ends the process.
 */
import { readFile } from 'node:fs/promises'
import { countBuffersAsHeap } from './adapters/system/garbage.ts'
import { createLog } from './adapters/system/log.ts'
import { DAEMON_USAGE, parseDaemonArguments, type DaemonArguments } from './config/arguments.ts'
import { loadConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { visibility } from './config/visibility.ts'
import { toKithError } from './errors.ts'
import type { Ms } from './model/units.ts'
import type { Log } from './ports/log.ts'

/** How long an orderly end may take before the process is ended anyway. */
const STOP_MS_MAX: Ms = 10_000

/**
 * A further signal within this time is the same one: Ctrl-C reaches the whole process group, and npm and the
 * launchers pass it on once more.
 */
const SAME_SIGNAL_MS: Ms = 300

const EXIT_DONE = 0
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_BUG = 70

/** What a client needs to find the daemon. */
export interface Ready {
  readonly socketPath: string
  readonly peerId: string
  readonly did: string
  /** Each ends in `/p2p/PEERID`. */
  readonly addresses: readonly string[]
  readonly http: string | null
}

interface RunningDaemon {
  readonly ready: Ready
  readonly isFirstStart: boolean
  /** Resolves when it has stopped, for whatever reason. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** Runs the daemon until a signal or a shutdown call ends it, then ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  countBuffersAsHeap()
  process.exit(await run(argv))
}

async function run(argv: readonly string[]): Promise<number> {
  let given: DaemonArguments
  try {
    given = parseDaemonArguments(argv, process.env)
  } catch (error) {
    process.stderr.write(`kithd: ${toKithError(error).message}\n`)
    return EXIT_USAGE
  }
  if (given.help) return await print(DAEMON_USAGE)
  if (given.version) return await print(`${await version()}\n`)
  try {
    return await serve(given)
  } catch (error) {
    return failed(error)
  }
}

async function serve({ home, config: file, sets, json, newIdentity }: DaemonArguments): Promise<number> {
  const { config, shown, warnings } = await loadConfig({ home, file, sets, env: process.env })
  const log = createLog(config.log)
  for (const { message, keys } of warnings) log.warn({ keys }, message)
  dieOfBugs(log)
  const signals = new Signals(log)
  const { startDaemon } = await import('./daemon.ts')
  const daemon: RunningDaemon = await startDaemon({ home, config, shown, log, newIdentity })
  // Listening begins before the ready line, so that whoever reads it may signal at once.
  const ended = signals.endOf(daemon)
  if (daemon.isFirstStart) introduce(config, daemon.ready, log)
  await print(readyLine(daemon.ready, json))
  return await ended
}

/** First signal: an orderly end. Second: at once. A signal during the start ends the process, nothing being promised yet. */
class Signals {
  readonly #log: Log
  readonly #received = Promise.withResolvers<void>()
  #serving = false
  #first: Ms | undefined

  constructor(log: Log) {
    this.#log = log
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => this.#onSignal(name))
  }

  /** @returns the exit code, once the daemon has stopped by itself or by a signal */
  async endOf(daemon: RunningDaemon): Promise<number> {
    this.#serving = true
    const byItself = daemon.stopped.then(() => EXIT_DONE)
    const bySignal = this.#received.promise.then(async () => await this.#stop(daemon))
    return await Promise.race([byItself, bySignal])
  }

  async #stop(daemon: RunningDaemon): Promise<number> {
    const late = setTimeout(() => {
      this.#log.error({ ms: STOP_MS_MAX }, 'stopping took too long; ending without it')
      process.exit(EXIT_FAILED)
    }, STOP_MS_MAX)
    await daemon.stop()
    clearTimeout(late)
    return EXIT_DONE
  }

  #onSignal(name: string): void {
    const now = performance.now()
    if (this.#first !== undefined && now - this.#first < SAME_SIGNAL_MS) return
    if (this.#first !== undefined || !this.#serving) process.exit(EXIT_FAILED)
    this.#first = now
    this.#log.info({ signal: name }, 'stopping')
    this.#received.resolve()
  }
}

/** At the first start of a home: who can see the node, once and in words. A log that programs read gets it as one message. */
function introduce(config: Config, { addresses }: Ready, log: Log): void {
  const lines = visibility(config, { addresses }).map(({ what }) => what)
  if (config.log.format === 'json') log.info({ lines }, 'who can see this node')
  else process.stderr.write(`Who can see this node:\n${lines.map(line => `  · ${line}\n`).join('')}`)
}

/** `ready socket=… peer=… did=… addresses=… http=…`, or its JSON form. */
export function readyLine({ socketPath, peerId, did, addresses, http }: Ready, json: boolean): string {
  if (json) return `${JSON.stringify({ ready: true, socket: socketPath, peerId, did, addresses, http })}\n`
  return `ready socket=${socketPath} peer=${peerId} did=${did} addresses=${addresses.join(',')} http=${http ?? 'off'}\n`
}

/** What nobody caught is a bug, and the state after it is unknown: stop at once. What was acknowledged is durable. */
function dieOfBugs(log: Log): void {
  const die = (error: unknown): void => {
    log.error({ err: error }, 'a bug ended the daemon; please report it with these lines')
    process.exit(EXIT_BUG)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  // A closed terminal or log pipe is no reason to stop serving.
  process.stderr.on('error', () => {})
  process.stdout.on('error', () => {})
}

function failed(error: unknown): number {
  const known = toKithError(error)
  if (known.fault !== 'bug') {
    process.stderr.write(`kithd: ${known.message}\n`)
    return EXIT_FAILED
  }
  process.stderr.write(`kithd: a bug: ${error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT_BUG
}

async function print(text: string): Promise<number> {
  await new Promise<void>(resolve => process.stdout.write(text, () => resolve()))
  return EXIT_DONE
}

async function version(): Promise<string> {
  const facts: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof facts === 'object' && facts !== null && 'version' in facts ? String(facts.version) : 'unknown'
}
