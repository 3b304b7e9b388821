/**
 * Each part in turn failing at start: the daemon says which and why, in a line without a stack, leaves nothing open, and
 * starts once the cause is gone. Each cause is a real state of a home or of the machine.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { lockHome } from '../../src/adapters/system/lock.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { KEPT_PORT, OWN_LOOPBACK } from './daemon-support.ts'

const CHECKOUT = new URL('../../', import.meta.url).pathname
const EXIT_FAILED = 1

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function run(home: string, sets: readonly string[]): Promise<Outcome> {
  const args = ['--home', home, '--config', join(CHECKOUT, 'configs', 'isolated.yaml'), ...sets.flatMap(set => ['--set', set])]
  const child = spawn(process.execPath, [join(CHECKOUT, 'bin', 'kithd.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => void stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => void stderr.push(chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
}

/** Makes a start fail. @returns what takes the cause away again */
type Obstacle = (home: string) => Promise<() => Promise<void>>

interface Case {
  readonly cause: string
  readonly obstacle: Obstacle
  readonly says: RegExp
  readonly sets?: (home: string) => readonly string[]
  /** What lies in the way of the socket is not ours to remove. */
  readonly keepsSocket?: true
}

/** Something else in the place of a file or directory of the home, until taken back. */
function instead(names: readonly string[], make: (path: string, kept: string) => Promise<unknown>): Obstacle {
  return async home => {
    const [path, kept] = [join(home, ...names), join(home, 'kept')]
    const was = await rename(path, kept).then(
      () => true,
      () => false
    )
    await make(path, kept)
    return async () => {
      await rm(path, { recursive: true })
      if (was) await rename(kept, path)
    }
  }
}

/** A directory where a file belongs. */
const directoryAt = (...names: string[]): Obstacle => instead(names, async path => await mkdir(path))
/** Other bytes than there should be, or a file where a directory belongs. */
const fileAt = (...names: string[]): Obstacle => instead(names, async path => await writeFile(path, 'in the way', { mode: 0o600 }))
const goneAt = (name: string): Obstacle => {
  return async home => {
    const [path, kept] = [join(home, name), join(home, 'kept')]
    await rename(path, kept)
    return async () => await rename(kept, path)
  }
}
const linkAt = (...names: string[]): Obstacle => instead(names, async (path, kept) => await symlink(kept, path))

async function listen(server: Server, where: number | string): Promise<() => Promise<void>> {
  await new Promise<void>(resolve => {
    if (typeof where === 'number') server.listen(where, OWN_LOOPBACK, resolve)
    else server.listen(where, resolve)
  })
  return async () => await new Promise(resolve => server.close(() => resolve()))
}

const identityOpenToOthers: Obstacle = async home => {
  await chmod(join(home, 'identity.key'), 0o644)
  return async () => await chmod(join(home, 'identity.key'), 0o600)
}

const newerStore: Obstacle = async home => {
  const file = join(home, 'store', 'own', 'index', 'index.db')
  const before = await readFile(file)
  const database = new DatabaseSync(file)
  database.exec('PRAGMA user_version = 1000')
  database.close()
  return async () => {
    await writeFile(file, before)
  }
}

/** The port that somebody else has. */
let taken = 0
const portTaken: Obstacle = async () => {
  const server = createServer()
  const close = await listen(server, 0)
  const address = server.address()
  taken = typeof address === 'object' && address !== null ? address.port : 0
  return close
}

const CASES: readonly Case[] = [
  { cause: 'the lock is held by another process', obstacle: holdLock, says: new RegExp(`another kithd \\(process ${process.pid}\\)`) },
  { cause: 'the lock is a directory', obstacle: directoryAt('lock'), says: /lock/ },
  { cause: 'a folder of the home is a file', obstacle: fileAt('state'), says: /state cannot be made/ },
  { cause: 'something else lies where the socket goes', obstacle: fileAt('api.sock'), says: /api\.sock is in the way/, keepsSocket: true },
  {
    cause: 'another process answers on the socket',
    obstacle: async home => await listen(createServer(), join(home, 'api.sock')),
    says: /another process answers on .*api\.sock/,
    keepsSocket: true
  },
  {
    cause: 'the socket belongs in a directory that is not there',
    obstacle: nothing,
    says: /nowhere/,
    sets: home => [`api.socket=${home}/nowhere/s`]
  },
  { cause: 'the identity is open to others', obstacle: identityOpenToOthers, says: /chmod 600 .*identity\.key/ },
  { cause: 'the key that remembers is damaged', obstacle: fileAt('keys', 'remember.key'), says: /remember\.key is damaged/ },
  { cause: 'the identity is no key', obstacle: fileAt('identity.key'), says: /identity\.key holds no Ed25519/ },
  { cause: 'the identity is lost', obstacle: goneAt('identity.key'), says: /identity\.key is gone.*--new-identity/ },
  { cause: 'the identity is a link', obstacle: linkAt('identity.key'), says: /identity\.key cannot be opened \(ELOOP\)/ },
  { cause: 'the place of a store is a file', obstacle: fileAt('store', 'cache'), says: /store\/cache/ },
  { cause: 'a store was written by a newer version', obstacle: newerStore, says: /store\/own.*format version 1000.*Update Kith/ },
  {
    cause: 'the port is taken',
    obstacle: portTaken,
    says: /already listens/,
    sets: () => [`network.listen=/ip4/${OWN_LOOPBACK}/tcp/${taken}`]
  },
  { cause: 'the ports cannot be written down', obstacle: directoryAt('state', 'ports.json'), says: /network .*ports\.json/ }
]

async function nothing(): Promise<() => Promise<void>> {
  return async () => {}
}

async function holdLock(home: string): Promise<() => Promise<void>> {
  const lock = await lockHome(home)
  return async () => await lock[Symbol.asyncDispose]()
}

describe('a start that fails', () => {
  const template = new AsyncDisposableStack()
  let first: DaemonProcess
  let used = ''

  /** A home that was in use, as one finds it after an orderly end. */
  async function usedHome(): Promise<Awaited<ReturnType<typeof temporaryDirectory>>> {
    const directory = await temporaryDirectory()
    await cp(used, directory.path, { recursive: true, preserveTimestamps: true })
    return directory
  }

  before(async () => {
    used = template.use(await temporaryDirectory()).path
    first = await DaemonProcess.start({ home: used, set: [KEPT_PORT] })
    assert.equal(await first.kill('SIGTERM'), 0)
  })
  after(async () => {
    await template.disposeAsync()
  })

  for (const { cause, obstacle, says, sets = () => [], keepsSocket } of CASES)
    it(`because ${cause}: says so, leaves nothing open, and succeeds once that is over`, async () => {
      await using directory = await usedHome()
      const { path: home } = directory
      const remove = await obstacle(home)
      const { code, stdout, stderr } = await run(home, [KEPT_PORT, ...sets(home)])
      assert.deepEqual([code, stdout], [EXIT_FAILED, ''], stderr)
      const said = stderr.split('\n').filter(line => line.startsWith('kithd: '))
      assert.equal(said.length, 1, stderr)
      assert.match(said[0] ?? '', says)
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack: it is no bug')
      await remove()
      const left = await readdir(home, { recursive: true })
      assert.deepEqual(
        left.filter(name => name.endsWith('.pid') || name.endsWith('.tmp') || (name === 'api.sock' && keepsSocket !== true)),
        [],
        'nothing is left'
      )
      await using again = await DaemonProcess.start({ home, set: [KEPT_PORT] })
      assert.deepEqual([again.ready.peerId, again.address], [first.ready.peerId, first.address], 'identity and port are kept')
    })

  it('because one of several ports is taken names that one', async () => {
    await using directory = await temporaryDirectory()
    const free = await portTaken('')
    const [one, other] = [`/ip4/${OWN_LOOPBACK}/tcp/${taken}`, `/ip4/${OWN_LOOPBACK}/tcp/0`]
    const { stderr } = await run(directory.path, [`network.listen=["${other}","${one}"]`])
    await free()
    assert.match(stderr, new RegExp(`cannot listen on ${one}: another program`))
  })

  it('because the home is damaged leaves what it found as it was', async () => {
    await using directory = await usedHome()
    const { path: home } = directory
    await appendFile(join(home, 'keys', 'remember.key'), 'x')
    const before = await lstat(join(home, 'keys', 'remember.key'))
    assert.equal((await run(home, [])).code, EXIT_FAILED)
    const after = await lstat(join(home, 'keys', 'remember.key'))
    assert.deepEqual([after.size, after.mtimeMs], [before.size, before.mtimeMs])
  })
})
