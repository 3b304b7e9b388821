import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { COMMANDS, NOT_BUILT_COMMANDS } from '../../../src/cli/commands.ts'
import { FAKE_DIRECTORY } from '../../support/fake-content.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

const EMPTY = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('kith put and get', () => {
  it('puts standard input, prints the uri alone, and gets it back under its CID', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    const bytes = randomBytes(300_000)
    const put = await kith(['put', '-', '--privacy', 'public'], { home, stdin: bytes })
    assert.equal(put.code, 0)
    assert.match(put.stdout, /^ipfs:\/\/bafk\w+\n$/)
    const get = await kith(['get', put.stdout.trim()], { home })
    const path = join(home, put.stdout.trim().slice('ipfs://'.length))
    assert.deepEqual([get.code, get.stdout], [0, `${path}\n`])
    assert.match(get.stderr, /from local/)
    assert.ok((await readFile(path)).equals(bytes))
  })

  it('gets under the recorded name, and nowhere else whatever that name says', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const names = ['plain.txt', '../../evil', '.bashrc', 'a\u001b[2Jb', '..', 'x\\y']
    for (const name of names) {
      const { cid } = await services.content.put({ bytes: Buffer.from(name) }, { name }, {})
      const { stdout } = await kith(['get', cid, '--json'], { home })
      const expected = name === 'plain.txt' ? name : cid
      assert.equal(JSON.parse(stdout).path, join(home, expected))
    }
  })

  it('names what lies below a directory by its path', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    for (const content of [`${FAKE_DIRECTORY}/hello.txt`, `/ipfs/${FAKE_DIRECTORY}/hello.txt`]) {
      const cwd = join(home, String(content.length))
      await mkdir(cwd)
      assert.equal((await kith(['get', content], { home, cwd })).stdout, `${join(cwd, 'hello.txt')}\n`)
    }
  })

  it('never overwrites', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const { cid } = await services.content.put({ bytes: Buffer.from('new') }, {}, {})
    await writeFile(join(home, 'here'), 'old')
    const { code, stderr } = await kith(['get', cid, '-o', 'here', '--json'], { home })
    assert.equal(code, 1)
    assert.equal(JSON.parse(stderr).error.data.code, 'CONFLICT')
    assert.equal(await readFile(join(home, 'here'), 'utf8'), 'old')
  })

  it('leaves nothing behind when the transfer breaks off', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const cwd = join(home, 'out')
    await mkdir(cwd)
    const { cid } = await services.content.put({ bytes: randomBytes(1_000_000) }, {}, {})
    services.faults.failAfter = 300_000
    const { code, stderr } = await kith(['get', cid], { home, cwd })
    assert.equal(code, 1)
    assert.match(stderr, /broke off after 3\d{5} bytes: the source sent wrong bytes/)
    assert.deepEqual(await readdir(cwd), [])
    const told: { error: { data: Record<string, unknown> } } = JSON.parse((await kith(['get', cid, '--json'], { home, cwd })).stderr)
    assert.equal(told.error.data['code'], 'INTEGRITY')
  })

  it('asks the daemon to write a directory', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    await kith(['get', FAKE_DIRECTORY, '-o', 'tree', '--timeout', '1500ms'], { home })
    const { content, ttl } = services.asked.at(-1) ?? {}
    assert.deepEqual({ content, ttl }, { content: FAKE_DIRECTORY, ttl: 2 })
    assert.equal(services.calls.at(-1), 'get')
  })

  it('says who was asked when nobody had it', async () => {
    await using fixture = await rpcFixture()
    const plain = await kith(['get', EMPTY], { home: fixture.home })
    assert.equal(plain.code, 4)
    assert.match(plain.stderr, /local +not-found/)
    const json = await kith(['get', EMPTY, '--json'], { home: fixture.home })
    const { error } = JSON.parse(json.stderr)
    assert.deepEqual([json.code, json.stdout, error.code, error.data.attempts.length], [4, '', -32001, 1])
  })

  it('writes content to standard output with cat and -o -', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const { cid } = await services.content.put({ bytes: Buffer.from('hello') }, {}, {})
    assert.equal((await kith(['cat', cid], { home })).stdout, 'hello')
    assert.equal((await kith(['get', cid, '-o', '-'], { home })).stdout, 'hello')
  })

  it('gives up when interrupted', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    services.faults.hang = EMPTY
    const interrupt = new AbortController()
    const [hanging, abortion] = [services.hanging(), services.abortion()]
    const got = kith(['get', EMPTY], { home, signal: interrupt.signal })
    await hanging
    interrupt.abort()
    assert.equal((await got).code, 1)
    await abortion
  })
})

describe('the other commands of kith', () => {
  it('print tables for people and one object for programs', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const { cid } = await services.content.put({ bytes: Buffer.from('hello') }, { name: 'a\u001bb' }, {})
    const commands = [
      ['status'],
      ['id'],
      ['stat', cid],
      ['ls'],
      ['ls', FAKE_DIRECTORY],
      ['privacy', cid],
      ['verify'],
      ['verify', cid, '--repair'],
      ['link', cid],
      ['peers'],
      ['peers', 'connect', '/ip4/127.0.0.1/tcp/1'],
      ['peers', 'ping', 'p'],
      ['peers', 'disconnect', 'p'],
      ['adverts'],
      ['config', 'show'],
      ['rpc', 'daemon.version'],
      ['rm', cid, '-f'],
      ['shutdown']
    ]
    for (const command of commands) {
      if (command[0] !== 'rm') {
        const plain = await kith(command, { home })
        assert.equal(plain.code, 0, plain.stderr)
        assert.ok(!plain.stdout.includes('\u001b'))
        assert.notEqual(plain.stdout, '')
      }
      const { code, stdout, stderr } = await kith([...command, '--json'], { home })
      assert.deepEqual([code, stderr], [0, ''], command.join(' '))
      assert.equal(typeof JSON.parse(stdout), 'object')
      assert.equal(stdout.trim().split('\n').length, 1)
    }
  })

  it('stream events one a line until interrupted', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    services.events.emit('gc.done', { number: 1 })
    services.events.emit('peer.connected', { peer: 'p' })
    const interrupt = new AbortController()
    const argv = ['events', '--since', '0', '--types', 'peer.connected', '--json']
    const { code, stdout } = await kith(argv, { home, signal: interrupt.signal, onStdout: () => interrupt.abort() })
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(stdout), { seq: 2, type: 'peer.connected', at: '2026-01-01T00:00:00.000Z', peer: 'p' })
  })

  it('pass parameters on with rpc, and errors back', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    assert.equal((await kith(['rpc', 'content.has', JSON.stringify({ content: EMPTY }), '--json'], { home })).stdout, '{"local":false}\n')
    assert.equal((await kith(['rpc', 'content.has', '{"content":"x"}'], { home })).code, 2)
    assert.equal((await kith(['rpc', 'no.such'], { home })).code, 2)
    assert.equal((await kith(['rpc', 'content.has', '{'], { home })).code, 2)
  })

  it('show and check the configuration without a daemon', async () => {
    await using home = await temporaryDirectory()
    assert.equal((await kith(['config', 'show'], { home: home.path })).code, 0)
    assert.equal((await kith(['config', 'validate'], { home: home.path })).code, 0)
    await writeFile(join(home.path, 'wrong.yaml'), 'netwrok: {}\n')
    const { code, stderr } = await kith(['config', 'validate', 'wrong.yaml'], { home: home.path })
    assert.equal(code, 2)
    assert.match(stderr, /network/)
  })
})

describe('wrong usage of kith', () => {
  const cases: [argv: string[], code: number, message: RegExp][] = [
    [['stauts'], 2, /"status"/],
    [['get'], 2, /missing/],
    [['get', 'a', 'b'], 2, /"b"/],
    [['put', ''], 2, /something is missing.*FILE\|DIR/],
    [['put', '', '--privacy', 'public'], 2, /something is missing/],
    [['import', ''], 2, /something is missing/],
    [['export', '', '-o', 'x.car'], 2, /something is missing/],
    [['link', ''], 2, /something is missing/],
    [['verify', '', '--repair'], 2, /something is missing/],
    [['ls', ''], 2, /something is missing/],
    [['config', 'validate', ''], 2, /something is missing/],
    [['get', 'a', '-o', ''], 2, /needs a value/],
    [['export', 'a', '--output='], 2, /needs a value/],
    [['get', 'a', '-o', 'nodir/x'], 2, /the folder \S+nodir does not exist\n$/],
    [['--json'], 2, /^\{"error":\{"code":-32602/],
    [['get', 'a', '--soket', 'x'], 2, /"socket"/],
    [['get', 'a', '-o'], 2, /needs a value/],
    [['put', '--name', '--json', 'x'], 2, /needs a value/],
    [['status', '--json=yes'], 2, /takes no value/],
    [['get', 'a', '--timeout', '5'], 2, /5s|30s/],
    [['get', 'a', '--timeout', '10m'], 2, /at most 300s/],
    [['get', 'a', '--timeout', '0s'], 2, /no time at all/],
    [['peers', 'conect', 'x'], 2, /"connect"/],
    [['peers', 'connect'], 2, /ADDRESS/],
    [['get', 'kith:ABCDEF'], 3, /kithd/],
    [['invite', '--level', 'high'], 2, /no whole number/],
    [['join'], 2, /TICKET/],
    [['get', 'a', '--sources', 'pear,ipfs'], 2, /"peer"/],
    [['get', 'a', '--sources', 'peer,ipfs,peer'], 2, /--sources: "peer" is given twice/],
    [['put', '.', '--privacy', 'secret'], 2, /Known: public, private\n$/],
    [['get', 'a', '--privacy', 'pubilc'], 2, /"public"/],
    [['put', '.', '--privacy', 'restricted'], 2, /not built yet/],
    [['export', 'a', '-o', '-'], 2, /-o FILE\.car/],
    [['export', 'a/..'], 2, /-o FILE\.car/],
    [['import', '-'], 2, /standard input/],
    [['import', 'x.car', '--privacy', 'pubic'], 2, /"public"/],
    [['verfy'], 2, /"verify"/],
    [['verify', '--repiar'], 2, /"repair"/],
    [['config', 'tokn', 'a', 'read'], 2, /"token"/],
    [['config', 'show', '--expires', '1d'], 2, /--expires belongs to kith config token/],
    [['config', 'validate', 'a', 'b'], 2, /"b" is too much/],
    [['docter'], 2, /"doctor"/],
    [['get', '--json', 'a', '--sources', 'x'], 2, /"code":-32602/],
    [['status'], 3, /kithd/]
  ]
  for (const [argv, code, message] of cases) {
    it(`kith ${argv.join(' ')} exits with ${code}`, async () => {
      await using home = await temporaryDirectory()
      const plain = await kith(argv, { home: home.path })
      assert.deepEqual([plain.code, plain.stdout], [code, ''])
      assert.match(plain.stderr, message)
    })
  }

  it('knows the commands that come later', async () => {
    await using home = await temporaryDirectory()
    for (const [name, what] of Object.entries(NOT_BUILT_COMMANDS)) {
      const { code, stderr } = await kith([name, 'x', '--of-later', '--json'], { home: home.path })
      assert.equal(code, 2)
      assert.equal(JSON.parse(stderr).error.data.code, 'NOT_BUILT')
      for (const argv of [
        [name, '--help'],
        ['help', name],
        [name, 'x', '-h']
      ]) {
        const help = await kith(argv, { home: home.path })
        assert.deepEqual([help.code, help.stderr], [0, ''])
        assert.equal(help.stdout, `kith ${name}: not built yet in this version of Kith. It will ${what}.\n`)
      }
    }
  })

  it('has help with an example for every command', async () => {
    await using home = await temporaryDirectory()
    for (const name of Object.keys(COMMANDS)) {
      const { code, stdout } = await kith([name, '--help'], { home: home.path })
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`example: kith ${name}`))
    }
    assert.match((await kith(['--help'], { home: home.path })).stdout, /usage/)
    assert.match((await kith(['help', 'put'], { home: home.path })).stdout, /example: kith put/)
    assert.equal((await kith([], { home: home.path })).code, 2)
  })
})
