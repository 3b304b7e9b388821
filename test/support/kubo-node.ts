/**
 * A real Kubo in a process of its own, in a temporary repository, for tests: nothing but loopback, no bootstrap, no
 * routers, no telemetry. Whoever starts one disposes of it: the process ends and the repository goes.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { getKubo, NoKuboError } from '../../scripts/get-kubo.ts'

/** A first build takes minutes. Milliseconds. */
const GET_MS_MAX = 30 * 60_000
/** A start that takes longer has failed. Milliseconds. */
const START_MS_MAX = 60_000
/** One command. Milliseconds. */
const COMMAND_MS_MAX = 60_000
/** `test`: loopback, port 0, no bootstrap, no mDNS. `unixfs-v1-2025`: the addresses Kith makes. */
const PROFILES = 'test,unixfs-v1-2025'
const SETTINGS: readonly (readonly [string, unknown])[] = [
  ['Routing.Type', 'none'],
  ['Swarm.RelayClient.Enabled', false],
  ['Plugins.Plugins.telemetry.Disabled', true]
]
const run = promisify(execFile)

let found: Promise<string> | undefined
let program: string | undefined

/** To be called in a `before` hook: skips everything under it, with one line, where there is no Kubo and none can be built. */
export async function needsKubo(context: Mocha.Context): Promise<void> {
  context.timeout(GET_MS_MAX)
  try {
    program = await (found ??= lookForKubo())
  } catch (error) {
    if (!(error instanceof NoKuboError)) throw error
    context.skip()
  }
}

async function lookForKubo(): Promise<string> {
  try {
    return await getKubo(console.error)
  } catch (error) {
    if (error instanceof NoKuboError) console.error(`tests with Kubo are skipped: ${error.message}`)
    throw error
  }
}

interface Ready {
  readonly api: string
  readonly gateway: string
  readonly addresses: readonly string[]
}

export class KuboNode implements AsyncDisposable {
  readonly repository: string
  /** Multiaddr of the RPC. */
  readonly api: string
  /** URL of the RPC. */
  readonly apiUrl: string
  readonly gatewayUrl: string
  /** Where other nodes dial it; ends in `/p2p/PEERID`. */
  readonly address: string
  readonly #child: ChildProcess
  /** Whoever started it may end without disposing of it. */
  readonly #killAtExit = (): void => {
    this.#child.kill('SIGKILL')
  }

  private constructor(repository: string, child: ChildProcess, { api, gateway, addresses }: Ready) {
    this.repository = repository
    this.#child = child
    process.once('exit', this.#killAtExit)
    this.api = api
    this.apiUrl = urlOf(api)
    this.gatewayUrl = urlOf(gateway)
    this.address = addresses[0] ?? ''
  }

  /** @param settings of Kubo's own configuration, on top of those for tests */
  static async start(settings: readonly (readonly [string, unknown])[] = []): Promise<KuboNode> {
    const repository = await mkdtemp(join(tmpdir(), 'kith-kubo-'))
    let child: ChildProcess | undefined
    try {
      await ipfs(repository, 'init', `--profile=${PROFILES}`)
      for (const [key, value] of [...SETTINGS, ...settings]) await ipfs(repository, 'config', '--json', key, JSON.stringify(value))
      child = spawn(kubo(), ['daemon'], { env: environment(repository), stdio: ['ignore', 'pipe', 'pipe'] })
      const listening = await untilReady(child)
      const { Addresses }: { Addresses: string[] } = JSON.parse(await ipfs(repository, 'id'))
      return new KuboNode(repository, child, { ...listening, addresses: Addresses })
    } catch (error) {
      child?.kill('SIGKILL')
      await rm(repository, { recursive: true, force: true })
      throw error
    }
  }

  /** Runs `ipfs …` against this node. @returns stdout without the white space around it */
  async ipfs(...args: string[]): Promise<string> {
    return await ipfs(this.repository, ...args)
  }

  /** As {@link ipfs}, when stdout is bytes. */
  async ipfsBytes(...args: string[]): Promise<Uint8Array> {
    const { stdout } = await run(kubo(), args, {
      env: environment(this.repository),
      timeout: COMMAND_MS_MAX,
      maxBuffer: 256 * 1024 * 1024,
      encoding: 'buffer'
    })
    return stdout
  }

  /** A file, or a directory with everything in it. @returns the root's CID */
  async add(path: string): Promise<string> {
    return await this.ipfs('add', '--recursive', '--quieter', '--hidden', path)
  }

  /** A raw block of any size a block may have. */
  async putBlock(bytes: Uint8Array): Promise<string> {
    const path = join(this.repository, `block-${randomUUID()}`)
    await writeFile(path, bytes)
    return await this.ipfs('block', 'put', '--cid-codec=raw', '--allow-big-block', path)
  }

  async connect(address: string): Promise<void> {
    await this.ipfs('swarm', 'connect', address)
  }

  /** Sends a signal and waits for the end; the repository stays. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }

  /** For a node that is to be silent without being gone: SIGSTOP, later SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGKILL')
    process.off('exit', this.#killAtExit)
    await rm(this.repository, { recursive: true, force: true })
  }
}

function kubo(): string {
  if (program === undefined) throw new Error('needsKubo was not called')
  return program
}

/** Settings of the person who runs this must not reach the node. */
function environment(repository: string): NodeJS.ProcessEnv {
  const { PATH } = process.env
  return { PATH, HOME: repository, IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
}

async function ipfs(repository: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(kubo(), args, {
    env: environment(repository),
    timeout: COMMAND_MS_MAX,
    maxBuffer: 64 * 1024 * 1024
  })
  return stdout.trim()
}

/** Reads Kubo's output up to the line that says it is ready, and on to its end, so that it never blocks. */
async function untilReady(child: ChildProcess): Promise<Omit<Ready, 'addresses'>> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('the node has no output')
  stderr.resume()
  const seen: string[] = []
  const lines = createInterface({ input: stdout })
  const ready = new Promise<void>((resolve, reject) => {
    lines.on('line', line => {
      seen.push(line)
      if (line.startsWith('Daemon is ready')) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => {
      reject(new Error(`Kubo ended before it was ready:\n${seen.join('\n')}`))
    })
    AbortSignal.timeout(START_MS_MAX).addEventListener('abort', () => {
      reject(new Error(`Kubo was not ready in time:\n${seen.join('\n')}`))
    })
  })
  await ready
  const listener = (what: string): string => {
    const line = seen.find(text => text.startsWith(`${what} server listening on `))
    return line?.split(' ').at(-1) ?? ''
  }
  return { api: listener('RPC API'), gateway: listener('Gateway') }
}

/** `/ip4/127.0.0.1/tcp/5001` as a URL. */
function urlOf(address: string): string {
  const [, , host, , port] = address.split('/')
  return `http://${host}:${port}`
}
