/** What two people do who have never met: `kith invite` here, `kith join` there, and private files move. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { terminal, type Ended, type Terminal } from '../support/terminal.ts'
import { assertClean } from './bad-input-support.ts'
import { accessOf } from './pairing-support.ts'

/** The last word of what was printed that looks like this. */
function found({ stdout, stderr, code }: Ended, pattern: RegExp): string {
  assert.equal(code, 0, stderr)
  const word = pattern.exec(stdout)?.[0]
  assert.ok(word !== undefined, stdout)
  return word
}
const TICKET = /kith:[a-z2-7]{50,}/
const URI = /kith:\/\/baf[a-z2-7]+/

/** A person: a daemon that can be stopped and started again, a directory, and a terminal in it. */
class Person implements AsyncDisposable {
  daemon: DaemonProcess
  readonly #home: string
  readonly #directory: { readonly path: string } & AsyncDisposable
  readonly #room: { readonly path: string } & AsyncDisposable

  private constructor(
    daemon: DaemonProcess,
    directory: { readonly path: string } & AsyncDisposable,
    room: { readonly path: string } & AsyncDisposable
  ) {
    this.daemon = daemon
    this.#home = daemon.home
    this.#directory = directory
    this.#room = room
  }

  static async start(): Promise<Person> {
    const room = await temporaryDirectory()
    return new Person(await DaemonProcess.start({ home: join(room.path, 'home') }), await temporaryDirectory(), room)
  }

  get kith(): Terminal {
    return terminal(this.#directory.path, this.#home)
  }
  path(name: string): string {
    return join(this.#directory.path, name)
  }

  async restart(): Promise<void> {
    await this.daemon.kill('SIGTERM')
    this.daemon.client.close()
    this.daemon = await DaemonProcess.start({ home: this.#home })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
    await Promise.all([this.#directory[Symbol.asyncDispose](), this.#room[Symbol.asyncDispose]()])
  }
}

describe('two people who have never met', function () {
  this.timeout(120_000)
  const letter = Buffer.alloc(3_000_000, 'for your eyes ')

  it('have each other in two commands, move a private file, and still have each other after both were off', async () => {
    await using ana = await Person.start()
    await using ben = await Person.start()
    const ticket = found(await ana.kith('invite', '--name', 'Ben'), TICKET)
    const joined = await ben.kith('join', ticket)
    assert.equal(joined.code, 0, joined.stderr)
    assert.deepEqual(
      [await accessOf(ana.daemon, ben.daemon.ready.did), await accessOf(ben.daemon, ana.daemon.ready.did)],
      [8, 5],
      'each set its own side'
    )

    await writeFile(ana.path('letter.txt'), letter)
    const uri = found(await ana.kith('put', 'letter.txt'), URI)
    const got = await ben.kith('get', uri, '-o', 'copy.txt')
    assert.equal(got.code, 0, got.stderr)
    assert.ok((await readFile(ben.path('copy.txt'))).equals(letter))

    await ben.restart()
    await ana.restart()
    await writeFile(ana.path('second.txt'), 'written after both were off')
    const second = found(await ana.kith('put', 'second.txt'), URI)
    const again = await ben.kith('get', second, '-o', 'second.txt')
    assert.equal(again.code, 0, again.stderr)
    assert.equal(await readFile(ben.path('second.txt'), 'utf8'), 'written after both were off')
    for (const { daemon } of [ana, ben]) await assertClean(daemon)
  })

  it('share one file with a third who has no level, and nothing else', async () => {
    await using ana = await Person.start()
    await using cleo = await Person.start()
    await writeFile(ana.path('letter.txt'), letter)
    await writeFile(ana.path('diary.txt'), 'nobody reads this')
    const letterUri = found(await ana.kith('put', 'letter.txt'), URI)
    const diaryUri = found(await ana.kith('put', 'diary.txt'), URI)
    const ticket = found(await ana.kith('share', letterUri), TICKET)
    const got = await cleo.kith('get', ticket, '-o', 'copy.txt')
    assert.equal(got.code, 0, got.stderr)
    assert.ok((await readFile(cleo.path('copy.txt'))).equals(letter))
    assert.equal(await accessOf(ana.daemon, cleo.daemon.ready.did), 0)

    const refused = await cleo.kith('get', diaryUri, '-o', 'diary.txt', '--timeout', '5s')
    assert.equal(refused.code, 4, 'what exists and may not be had looks like what does not exist')
    await assert.rejects(readFile(cleo.path('diary.txt')), { code: 'ENOENT' })
    await assertClean(cleo.daemon)
  })

  it('get nothing by a ticket that was used, and the one who made it is none the worse', async () => {
    await using ana = await Person.start()
    await using ben = await Person.start()
    await using thief = await Person.start()
    const ticket = found(await ana.kith('invite'), TICKET)
    assert.equal((await ben.kith('join', ticket)).code, 0)
    const stolen = await thief.kith('join', ticket)
    assert.notEqual(stolen.code, 0)
    assert.ok(stolen.stderr.length > 20)
    assert.equal(await accessOf(ana.daemon, thief.daemon.ready.did), 0)
    await writeFile(ana.path('letter.txt'), letter)
    const uri = found(await ana.kith('put', 'letter.txt'), URI)
    assert.equal((await thief.kith('get', uri, '--timeout', '5s')).code, 4)
    assert.equal((await ben.kith('get', uri, '-o', 'copy.txt')).code, 0)
    for (const { daemon } of [ana, thief]) await assertClean(daemon)
  })
})
