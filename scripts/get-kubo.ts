/**
 * A Kubo (`ipfs`) for the interoperability tests: one that is there, or one built with Go into `.cache/kubo`, which git ignores.
 * Run as a program it prints the path on stdout and what it does on stderr; where no Kubo is to be had it ends with 1 and says
 * why in one line. Several may run at once: a binary appears whole, by a rename, or not at all.
 *
 * Built is v0.43.0, from its own go.mod and go.sum: later patch releases *replace* go-libp2p by a fork, which `go install
 * PACKAGE@VERSION` refuses and module proxies often lack. The npm package `kubo` downloads from a host that is often unreachable.
 */
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const VERSION = '0.43.0'
/** The first with the profile unixfs-v1-2025, which the tests need. */
const KUBO_MIN = '0.40.0'
/** Kubo's go.mod asks for it. */
const GO_MIN = '1.26.5'
/** A cold build downloads some 600 modules and compiles for three minutes on two cores. Milliseconds. */
const BUILD_MS_MAX = 30 * 60_000
/** `ipfs version` and `go version` answer within a second. Milliseconds. */
const ASK_MS_MAX = 20_000

const CACHE = new URL('../.cache/kubo', import.meta.url).pathname
const BUILT = join(CACHE, `ipfs-${VERSION}`)
const run = promisify(execFile)

/** Why there is no Kubo here, in one line. */
export class NoKuboError extends Error {}

/**
 * `KITH_KUBO`, else the one built before, else `ipfs` in the path, else a build.
 *
 * @returns the path or name of a program that runs
 * @throws NoKuboError
 */
export async function getKubo(say: (line: string) => void = () => {}): Promise<string> {
  const given = process.env['KITH_KUBO']
  if (given !== undefined && given !== '') {
    if (await isKubo(given)) return given
    throw new NoKuboError(`KITH_KUBO names ${given}, which is no Kubo ≥ ${KUBO_MIN} that runs here`)
  }
  for (const candidate of [BUILT, 'ipfs']) if (await isKubo(candidate)) return candidate
  const found = await versionOf('go', ['env', 'GOVERSION'])
  if (found === undefined)
    throw new NoKuboError(`there is neither a Kubo ≥ ${KUBO_MIN} (KITH_KUBO, or ipfs in the path) nor Go ≥ ${GO_MIN} to build one`)
  if (!isAtLeast(found, GO_MIN)) throw new NoKuboError(`Go ${found} is too old to build Kubo ${VERSION}; it takes ${GO_MIN}`)
  say(`building Kubo ${VERSION} with Go ${found} into ${CACHE}; this takes some minutes, once`)
  await build()
  return BUILT
}

async function build(): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'kith-kubo-'))
  try {
    const source = join(scratch, 'source')
    await cp(await download(scratch), source, { recursive: true })
    await makeWritable(source)
    const binary = join(scratch, 'ipfs')
    await go(['build', '-trimpath', '-o', binary, './cmd/ipfs'], source)
    await mkdir(CACHE, { recursive: true })
    const whole = `${BUILT}.${process.pid}`
    await cp(binary, whole)
    await rename(whole, BUILT)
  } catch (error) {
    throw new NoKuboError(`Kubo ${VERSION} could not be built: ${lastLineOf(error)}`, { cause: error })
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** @returns the folder of Kubo's source in Go's module cache, which is read-only */
async function download(cwd: string): Promise<string> {
  const answer: unknown = JSON.parse(await go(['mod', 'download', '-json', `github.com/ipfs/kubo@v${VERSION}`], cwd))
  if (typeof answer === 'object' && answer !== null && 'Dir' in answer && typeof answer.Dir === 'string') return answer.Dir
  throw new Error('go mod download named no folder')
}

async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o755)
}

async function go(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' }
  const { stdout } = await run('go', args, { cwd, env, timeout: BUILD_MS_MAX, maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

async function isKubo(program: string): Promise<boolean> {
  const version = await versionOf(program, ['version', '--number'])
  return version !== undefined && isAtLeast(version, KUBO_MIN)
}

/** @returns `1.2.3`; undefined when the program is not there or says something else */
async function versionOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, args, { timeout: ASK_MS_MAX, env: { ...process.env, GOTOOLCHAIN: 'local' } })
    return /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}

function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, 'en', { numeric: true }) >= 0
}

function lastLineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : ''
  return (said === '' ? error.message : said).split('\n').at(-1) ?? ''
}

if (import.meta.main) {
  try {
    const path = await getKubo(line => {
      process.stderr.write(`${line}\n`)
    })
    process.stdout.write(`${path}\n`)
  } catch (error) {
    if (!(error instanceof NoKuboError)) throw error
    process.stderr.write(`no Kubo: ${error.message}\n`)
    process.exitCode = 1
  }
}
