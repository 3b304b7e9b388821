import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Bindings } from '../../../src/peers/bindings.ts'
import { didFromPublicKey } from '../../../src/peers/did-key.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { identity } from '../adverts/support.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

const WEB = 'did:web:ana.example'
const DAY_SECONDS = 86_400

function rawOf(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url'))
}

describe('kith id bind', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })
  const raw = rawOf(privateKey)
  const ana = didFromPublicKey(raw)
  let room: Awaited<ReturnType<typeof temporaryDirectory>>
  let home: string
  let node: Identity

  before(async () => {
    room = await temporaryDirectory()
    home = room.path
    node = await identity(1)
    await writeFile(join(home, 'ana.pem'), pem, { mode: 0o600 })
  })
  after(async () => {
    await room[Symbol.asyncDispose]()
  })

  const bind = async (...argv: string[]): ReturnType<typeof kith> => await kith(['id', 'bind', ...argv], { home })
  /** What a peer of the node makes of it. */
  const believed = async (jwt: string): Promise<readonly string[]> => {
    const clock = new VirtualClock()
    await clock.advance(Date.now() - clock.now())
    const resolver = { resolve: async (): Promise<readonly Uint8Array[]> => [raw] }
    return (await new Bindings({ clock, identity: await identity(2), resolver }).take(node.peerId, [jwt])).map(({ did }) => did)
  }

  it('signs for a node that is named, without a daemon, and prints the binding alone', async () => {
    for (const name of [node.peerId, node.did]) {
      const { code, stdout, stderr } = await bind('--key', 'ana.pem', '--for', name)
      assert.equal(code, 0, stderr)
      assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
      assert.deepEqual(await believed(stdout.trim()), [ana])
      assert.ok(stderr.includes(`${ana} speaks for ${node.did} until`), stderr)
      assert.match(stderr, /HOME\/keys\/bindings\/NAME\.jwt; the node shows it from its next start on/)
    }
  })

  it('signs as another DID of the same key, and says what its document must list', async () => {
    const { stdout, stderr } = await bind('--key', 'ana.pem', '--did', WEB, '--for', node.did)
    assert.deepEqual(await believed(stdout.trim()), [WEB])
    assert.ok(stderr.includes(`assertionMethod, as type Multikey with publicKeyMultibase ${ana.slice('did:key:'.length)}`), stderr)
    assert.ok(stderr.includes(`kith trust set ${WEB} LEVEL`), stderr)
  })

  it('lasts a year, or as long as it is told', async () => {
    const lasts = async (...argv: string[]): Promise<number> => {
      const before = Math.floor(Date.now() / 1000)
      const { stdout } = await bind('--key', 'ana.pem', '--for', node.did, '--json', ...argv)
      return Math.round((Date.parse(JSON.parse(stdout).expires) / 1000 - before) / DAY_SECONDS)
    }
    assert.deepEqual([await lasts(), await lasts('--expires', '90d')], [365, 90])
    for (const wrong of ['400d', '0s', 'soon']) {
      const { code, stderr } = await bind('--key', 'ana.pem', '--for', node.did, '--expires', wrong)
      assert.deepEqual([code, /--expires .* from 1s to 366d/.test(stderr)], [2, true], stderr)
    }
  })

  it('is for the node that runs here, if none is named', async () => {
    await using fixture = await rpcFixture()
    const { did } = JSON.parse((await kith(['id', '--json'], { home: fixture.home })).stdout)
    const key = join(home, 'ana.pem')
    const { code, stdout, stderr } = await kith(['id', 'bind', '--key', key, '--json'], { home: fixture.home })
    assert.equal(code, 0, stderr)
    assert.deepEqual([JSON.parse(stdout).node, JSON.parse(stdout).did, stderr], [did, ana, ''])
    const none = await bind('--key', 'ana.pem')
    assert.deepEqual([none.code, none.stdout, /--for DID/.test(none.stderr)], [3, '', true], none.stderr)
  })

  it('writes it into the home, in place of an older one, where only its owner reads', async () => {
    await mkdir(join(home, 'node'), { mode: 0o700 })
    const argv = ['--key', '../ana.pem', '--for', node.did, '--save']
    const first = await kith(['id', 'bind', ...argv], { home: join(home, 'node') })
    const path = join(home, 'node', 'keys', 'bindings', `${ana}.jwt`)
    assert.deepEqual([first.code, first.stdout], [0, `${path}\n`], first.stderr)
    assert.deepEqual(await believed((await readFile(path, 'utf8')).trim()), [ana])
    assert.equal((await stat(path)).mode & 0o077, 0)
    const second = await kith(['id', 'bind', ...argv, '--json', '--expires', '9d'], { home: join(home, 'node') })
    assert.equal(`${JSON.parse(second.stdout).jwt}\n`, await readFile(path, 'utf8'))
    const socket = await bind('--key', 'ana.pem', '--for', node.did, '--save', '--socket', join(home, 'other.sock'))
    assert.deepEqual([socket.code, /name it with --home/.test(socket.stderr)], [2, true], socket.stderr)
    const nowhere = await kith(['id', 'bind', '--key', join(home, 'ana.pem'), '--for', node.did, '--save'], {
      home: join(home, 'none'),
      cwd: home
    })
    assert.deepEqual([nowhere.code, /no home of a node/.test(nowhere.stderr)], [2, true], nowhere.stderr)
  })

  it('reads the key from standard input, and never repeats a word of it', async () => {
    const piped = await kith(['id', 'bind', '--key', '-', '--for', node.did], { home, stdin: pem })
    assert.deepEqual(await believed(piped.stdout.trim()), [ana], piped.stderr)
    const locked = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'pem', type: 'pkcs8' })
    const cases: [stdin: string | Buffer, says: RegExp][] = [
      [locked, /is encrypted.*openssl pkey -in/],
      [rsa, /no Ed25519 private key as PEM/],
      [createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }), /no Ed25519 private key as PEM/],
      ['my secret', /openssl genpkey -algorithm ed25519/],
      ['x'.repeat(100_000), /too long/]
    ]
    for (const [stdin, says] of cases) {
      const { code, stdout, stderr } = await kith(['id', 'bind', '--key', '-', '--for', node.did], { home, stdin })
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /my secret|xxxx|MII|MC4/)
    }
  })

  it('names what is wrong with what it was given', async () => {
    const other = (await identity(3)).did
    const cases: [argv: readonly string[], says: RegExp][] = [
      [['--for', node.did], /--key FILE/],
      [['--key', 'nothing.pem', '--for', node.did], /nothing\.pem cannot be read \(ENOENT\)/],
      [['--key', '.', '--for', node.did], /is no key/],
      [['--key', 'ana.pem', '--for', 'did:key:alice'], /--for: /],
      [['--key', 'ana.pem', '--for', WEB], /PeerId or its did:key/],
      [['--key', 'ana.pem', '--for', ana], /of the node itself/],
      [['--key', 'ana.pem', '--for', node.did, '--did', other], /is not the DID of this key/],
      [['--key', 'ana.pem', '--for', node.did, '--did', 'ana'], /--did: /]
    ]
    for (const [argv, says] of cases) {
      const { code, stdout, stderr } = await bind(...argv)
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, says)
    }
    const stray = await kith(['id', '--key', 'ana.pem'], { home })
    assert.deepEqual([stray.code, /belongs to kith id bind/.test(stray.stderr)], [2, true])
  })
})
