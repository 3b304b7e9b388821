/** The life of a daemon: how it starts, what it refuses, what it leaves behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, lstat, mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { base64, KEPT_PORT, nextEvent, OWN_LOOPBACK } from './daemon-support.ts'

const CHECKOUT = new URL('../../', import.meta.url).pathname

/** Runs kithd to its end. */
async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(CHECKOUT, 'bin', 'kithd.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

const ISOLATED = ['--config', join(CHECKOUT, 'configs', 'isolated.yaml')]
const exists = async (path: string): Promise<boolean> =>
  await access(path).then(
    () => true,
    () => false
  )

/** What the daemon says is wrong, but for the room on the disk of this machine. */
const conditionsOf = async ({ client }: DaemonProcess): Promise<string[]> =>
  (await client.call('daemon.status', {})).health.map(({ code }) => code).filter(code => !code.startsWith('DISK_'))

describe('the life of a daemon', () => {
  it('begins with one ready line that tells everything a client needs, in a home for its owner alone', async () => {
    await using daemon = await DaemonProcess.start()
    const { ready, home } = daemon
    assert.deepEqual([ready.ready, ready.socket, ready.http], [true, join(home, 'api.sock'), null])
    assert.match(ready.did, /^did:key:z6Mk/)
    assert.equal(ready.addresses.length > 0 && ready.addresses.every(address => address.endsWith(`/p2p/${ready.peerId}`)), true)
    const modes = await Promise.all(['.', 'identity.key', 'api.sock'].map(async name => (await stat(join(home, name))).mode & 0o777))
    assert.deepEqual(modes, [0o700, 0o600, 0o600])
    const status = await daemon.client.call('daemon.status', {})
    assert.deepEqual([status.peerId, status.did, status.addresses, status.swarms], [ready.peerId, ready.did, ready.addresses, []])
    assert.equal((await daemon.client.call('daemon.health', {})).status, 'healthy')
    assert.deepEqual(await conditionsOf(daemon), [])
  })

  it('refuses a second daemon on its home, naming the process that holds it', async () => {
    await using daemon = await DaemonProcess.start()
    const { code, stdout, stderr } = await run(...ISOLATED, '--home', daemon.home)
    assert.deepEqual([code === 0, stdout], [false, ''])
    assert.match(stderr, new RegExp(`\\b${daemon.pid}\\b`))
    assert.equal((await daemon.client.call('daemon.version', {})).version.length > 0, true, 'the first is not disturbed')
  })

  it('keeps identity, port and content over an orderly end and over a crash', async () => {
    await using directory = await temporaryDirectory()
    const settings = { home: directory.path, set: [KEPT_PORT] }
    const first = await DaemonProcess.start(settings)
    const { cid } = await first.client.call('content.put', { data: base64('stays') })
    assert.equal(await first.kill('SIGTERM'), 0)
    assert.equal(await exists(first.ready.socket), false, 'an orderly end leaves no socket')
    const second = await DaemonProcess.start(settings)
    assert.deepEqual([second.ready.peerId, second.ready.addresses], [first.ready.peerId, first.ready.addresses])
    assert.equal((await second.client.call('content.get', { content: cid })).data, base64('stays'))
    await second.kill('SIGKILL')
    assert.equal((await lstat(second.ready.socket)).isSocket(), true, 'a crash does')
    const server = createServer()
    await new Promise<void>(resolve => {
      server.listen(Number(/tcp\/(\d+)/.exec(first.address)?.[1]), OWN_LOOPBACK, resolve)
    })
    await using third = await DaemonProcess.start(settings)
    assert.deepEqual(
      [third.ready.peerId, third.address === first.address],
      [first.ready.peerId, false],
      'the port is taken now: another is drawn'
    )
    assert.match(third.log.join('\n'), /taken/)
    assert.deepEqual(await conditionsOf(third), ['PORT_CHANGED'])
    await new Promise(resolve => server.close(resolve))
  })

  it('says who can see it at the first start of a home, and only then', async () => {
    await using directory = await temporaryDirectory()
    const first = await DaemonProcess.start({ home: directory.path })
    await first.kill('SIGTERM')
    const said = first.log.join('\n')
    assert.match(said, /Who can see this node:/)
    assert.match(said, /Programs on this machine reach it at: \/ip4\/127\.0\.0\.1/)
    assert.match(said, /does not enter the public IPFS swarm/)
    assert.match(said, /No gateway is asked/)
    await using again = await DaemonProcess.start({ home: directory.path })
    assert.doesNotMatch(again.log.join('\n'), /Who can see/)
  })

  it('says which keys of its configuration have no effect, once, and serves', async () => {
    await using daemon = await DaemonProcess.start({ set: ['pinning.maxAutoBytes=1GiB', 'gc.interval=2h'] })
    await daemon.client.call('daemon.version', {})
    const said = daemon.log.filter(line => /no effect/.test(line))
    assert.equal(said.length, 1)
    assert.match(said[0] ?? '', /pinning\.maxAutoBytes.*gc\.interval/)
  })

  it('serves with a clock a day off, and says so', async () => {
    await using directory = await temporaryDirectory()
    const first = await DaemonProcess.start({ home: directory.path })
    const { cid } = await first.client.call('content.put', { data: base64('of tomorrow') })
    await first.kill('SIGTERM')
    // The home as a clock that was right left it, for one that is now a day behind.
    const tomorrow = new Date(Date.now() + 86_400_000)
    await utimes(join(directory.path, 'state', 'ports.json'), tomorrow, tomorrow)
    await using again = await DaemonProcess.start({ home: directory.path })
    assert.equal((await again.client.call('content.get', { content: cid })).data, base64('of tomorrow'))
    assert.deepEqual(await conditionsOf(again), ['CLOCK_SKEW'])
    const { health } = await again.client.call('daemon.status', {})
    assert.match(health.find(({ code }) => code === 'CLOCK_SKEW')?.title ?? '', /24 hours behind/)
  })

  it('is well without IPFS and gateways if none was wanted', async () => {
    await using daemon = await DaemonProcess.start({ set: ['ipfs.type=gateway-only', 'gateways=[]'] })
    const [{ ipfs }, { status, nodes }] = [await daemon.client.call('daemon.status', {}), await daemon.client.call('daemon.health', {})]
    assert.deepEqual([ipfs.healthy, ipfs.totalNodes, status, nodes.total], [true, 0, 'healthy', 0])
  })

  it('opens no debugger for a signal, and lives on', async () => {
    await using daemon = await DaemonProcess.start()
    for (let times = 0; times < 3; times++) {
      process.kill(daemon.pid, 'SIGUSR1')
      await daemon.client.call('daemon.version', {})
    }
    assert.equal(await daemon.kill('SIGTERM'), 0)
    // Node says that it opens one, and that it cannot because the port is taken.
    assert.deepEqual(
      daemon.log.filter(line => /debugger|inspector/i.test(line)),
      []
    )
  })

  it('ends when a client says so, after answering, with exit code 0', async () => {
    await using daemon = await DaemonProcess.start()
    assert.deepEqual(await daemon.client.call('daemon.shutdown', {}), {})
    assert.equal(await daemon.ended(), 0)
    assert.equal(await exists(daemon.ready.socket), false)
  })

  it('refuses a misspelt key with the nearest one, and a wrong value with its key', async () => {
    await using directory = await temporaryDirectory()
    const cases: [string, RegExp][] = [
      ['network:\n  lisen: /ip4/127.0.0.1/tcp/0\n', /network\.lisen[^]*listen/],
      ['routing:\n  ipfsDelay: 150\n', /routing\.ipfsDelay/],
      ['cache:\n  maxBytes: 10GBB\n', /cache\.maxBytes/],
      ['storage:\n  passphraseFile: /nowhere\n', /storage\.passphraseFile[^]*refuses to start rather than run with an unsealed home/],
      ['version: 99\n', /newer Kith/],
      ['a: [', /config\.yaml/]
    ]
    await Promise.all(
      cases.map(async ([text, said], index) => {
        const file = join(directory.path, `${index}-config.yaml`)
        await writeFile(file, text)
        const { code, stdout, stderr } = await run('--config', file, '--home', join(directory.path, 'home'))
        assert.deepEqual([code === 0, stdout], [false, ''], text)
        assert.match(stderr, said)
      })
    )
    const set = await run(...ISOLATED, '--home', join(directory.path, 'home'), '--set', 'gatewys=[]')
    assert.notEqual(set.code, 0)
    assert.match(set.stderr, /gatewys[^]*gateways/)
    assert.equal(await exists(join(directory.path, 'home', 'lock')), false)
  })

  it('refuses a home whose socket path would be too long, with the length and the remedy', async () => {
    await using directory = await temporaryDirectory()
    const home = join(directory.path, 'x'.repeat(100))
    const { code, stderr } = await run(...ISOLATED, '--home', home)
    assert.notEqual(code, 0)
    assert.match(stderr, new RegExp(`${Buffer.byteLength(join(home, 'api.sock'))} bytes[^]*api\\.socket`))
    await using daemon = await DaemonProcess.start({ home, set: [`api.socket=${join(directory.path, 's')}`] })
    assert.equal(daemon.ready.socket, join(directory.path, 's'))
  })

  it('refuses a configured port that is taken, and leaves the home free for the next start', async () => {
    await using directory = await temporaryDirectory()
    const server = createServer()
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const listen = `network.listen=/ip4/127.0.0.1/tcp/${port}`
    const { code, stdout, stderr } = await run(...ISOLATED, '--home', directory.path, '--set', listen)
    assert.deepEqual([code === 0, stdout], [false, ''])
    assert.match(stderr, new RegExp(`${port}[^]*already listens`))
    assert.equal(stderr.trim().split('\n').length <= 3, true, stderr)
    await new Promise(resolve => server.close(resolve))
    await using daemon = await DaemonProcess.start({ home: directory.path, set: [listen] })
    assert.match(daemon.address, new RegExp(`/tcp/${port}/`))
  })

  it('refuses what is in the way of its socket or its home', async () => {
    await using directory = await temporaryDirectory()
    await mkdir(join(directory.path, 'home', 'api.sock'), { recursive: true })
    await writeFile(join(directory.path, 'file'), 'not a home')
    for (const home of ['home', 'file']) {
      const { code, stderr } = await run(...ISOLATED, '--home', join(directory.path, home))
      assert.notEqual(code, 0)
      assert.match(stderr, new RegExp(join(directory.path, home)))
    }
    assert.equal(await readFile(join(directory.path, 'file'), 'utf8'), 'not a home')
  })

  it('is found again by the peers it is configured with after a crash, and serves them', async () => {
    await using directory = await temporaryDirectory()
    const settings = { home: directory.path, set: [KEPT_PORT] }
    const first = await DaemonProcess.start(settings)
    const { cid } = await first.client.call('content.put', { data: base64('after the crash'), privacy: 'public' })
    await using friend = await DaemonProcess.start({ set: [`network.peering=["${first.address}"]`] })
    await nextEvent(friend, 'peer.connected')
    const lost = nextEvent(friend, 'peer.disconnected')
    await first.kill('SIGKILL')
    const { seq } = await lost
    await using again = await DaemonProcess.start(settings)
    await nextEvent(friend, 'peer.connected', event => event.seq > seq)
    assert.equal((await friend.client.call('content.get', { content: cid })).data, base64('after the crash'))
    assert.equal(again.ready.peerId, first.ready.peerId)
  })
})
