import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { statusError } from '../../../../src/adapters/kubo/rpc-error.ts'
import { lockHome } from '../../../../src/adapters/system/lock.ts'
import { daemonFindings, refusalFinding } from '../../../../src/cli/doctor/daemon-answers.ts'
import { holderOf, silentFindings, socketLengthFindings, socketPathIn } from '../../../../src/cli/doctor/running.ts'
import { KithError } from '../../../../src/errors.ts'
import { fakeServices } from '../../../support/fake-services.ts'
import { temporaryDirectory } from '../../../support/temporary-directory.ts'
import { VirtualClock } from '../../../support/virtual-clock.ts'

async function codes(home: string): Promise<string[]> {
  return (await silentFindings(home, socketPathIn(home, null))).map(({ code, severity }) => `${severity} ${code}`)
}

describe('doctor on a daemon that does not answer', () => {
  it('names the process that holds the home', async () => {
    await using home = await temporaryDirectory()
    await mkdir(join(home.path, 'state'))
    assert.equal(await holderOf(home.path), undefined)
    await using _lock = await lockHome(home.path)
    // Where the kernel lists no locks, the number that the daemon wrote down.
    for (const locks of ['/proc/locks', '/no/such/file']) assert.equal(await holderOf(home.path, { locks }), process.pid)
    assert.deepEqual(await codes(home.path), ['error DAEMON_SILENT'])
  })

  it('takes no file left behind for a daemon', async () => {
    await using home = await temporaryDirectory()
    await mkdir(join(home.path, 'state'))
    await (await lockHome(home.path))[Symbol.asyncDispose]()
    assert.deepEqual(await codes(home.path), ['info DAEMON_STOPPED'])
    await writeFile(join(home.path, 'state/kithd.pid'), `${await deadProcess()}\n`)
    await staleSocket(join(home.path, 'api.sock'))
    assert.deepEqual(await codes(home.path), ['info DAEMON_STOPPED', 'info STALE_SOCKET'])
    assert.equal(await holderOf(home.path, { locks: '/no/such/file' }), undefined)
  })

  it('finds something else where the socket belongs', async () => {
    await using home = await temporaryDirectory()
    await writeFile(join(home.path, 'api.sock'), '')
    assert.deepEqual(await codes(home.path), ['error SOCKET_IN_THE_WAY'])
  })

  it('finds a socket path that is too long', () => {
    const path = socketPathIn('/home', `${'x'.repeat(100)}.sock`)
    assert.deepEqual(
      socketLengthFindings(path).map(({ code }) => code),
      ['SOCKET_PATH_LONG']
    )
    assert.deepEqual(socketLengthFindings(socketPathIn('/home', null)), [])
  })

  it('tells a refusal from silence', () => {
    assert.equal(refusalFinding(new KithError('UNAUTHORIZED', 'no'), false).code, 'DAEMON_REFUSES')
    assert.equal(refusalFinding(new KithError('TIMEOUT', 'late'), false).code, 'DAEMON_SILENT')
  })

  it('advises what helps against the refusal at hand: a token, a better token, or to be the owner', () => {
    const advice = (data: Record<string, unknown>, hasToken: boolean): string | undefined =>
      refusalFinding(new KithError('UNAUTHORIZED', 'no', data), hasToken).remedy
    assert.match(advice({}, false) ?? '', /^set KITH_TOKEN/)
    assert.match(advice({}, true) ?? '', /not expired/)
    assert.equal(advice({ socketPath: '/s' }, true), 'be its owner')
  })
})

describe('doctor on a daemon that answers', () => {
  const says = async () => {
    const { node } = fakeServices({ clock: new VirtualClock() })
    return { version: { version: '1.0.0', node: 'v24.1.0' }, status: await node.status(), health: await node.health(), config: undefined }
  }
  const found = (given: Awaited<ReturnType<typeof says>>, client = '1.0.0'): string[] =>
    daemonFindings(given, client).map(({ code, severity }) => `${severity} ${code}`)

  it('finds nothing wrong with a good one beside its listening on loopback', async () => {
    assert.deepEqual(found(await says()), ['ok DAEMON', 'warning LOOPBACK_ONLY'])
  })

  it('says who can reach it', async () => {
    const given = await says()
    const reach = (addresses: string[]): string | undefined => found({ ...given, status: { ...given.status, addresses } })[1]
    assert.equal(reach([]), 'warning NOT_LISTENING')
    assert.equal(reach(['/ip6/::1/tcp/1/p2p/x', '/ip4/127.0.0.1/tcp/1/p2p/x']), 'warning LOOPBACK_ONLY')
    assert.equal(reach(['/ip4/127.0.0.1/tcp/1/p2p/x', '/ip4/172.17.0.2/tcp/1/p2p/x']), 'info LOCAL_ONLY')
    assert.equal(reach(['/ip4/127.0.0.1/tcp/1/p2p/x', '/ip4/203.0.113.1/tcp/1/p2p/x']), 'ok ADDRESSES')
    assert.equal(reach(['/ip6/2001:db8::1/tcp/1/p2p/x']), 'ok ADDRESSES')
  })

  it('finds versions that differ, conditions, and IPFS nodes that are not well', async () => {
    const given = await says()
    const node = { url: 'http://k:5001', type: 'kubo', healthy: false, lastCheck: null, responseTime: null, error: 'refused' }
    const status = {
      ...given.status,
      health: [{ code: 'DISK_LOW', severity: 'error' as const, title: 'The disk is nearly full.' }],
      ipfs: { ...given.status.ipfs, nodes: [node] }
    }
    const health = { ...given.health, status: 'unhealthy' as const }
    assert.deepEqual(found({ ...given, status, health }, '1.0.1'), [
      'ok DAEMON',
      'warning VERSIONS_DIFFER',
      'error DISK_LOW',
      'warning IPFS_NODE_UNHEALTHY',
      'error IPFS_UNREACHABLE',
      'warning LOOPBACK_ONLY'
    ])
  })

  it('holds a wrong password for an error that only the right one mends', async () => {
    const given = await says()
    for (const status of [401, 403]) {
      const error = statusError(status, '').message
      const node = { url: 'http://k:5001', type: 'kubo', healthy: false, lastCheck: null, responseTime: null, error }
      const findings = daemonFindings({ ...given, status: { ...given.status, ipfs: { ...given.status.ipfs, nodes: [node] } } }, '1.0.0')
      const refused = findings.find(({ code }) => code === 'IPFS_REFUSES')
      assert.equal(refused?.severity, 'error')
      assert.match(refused?.remedy ?? '', /^correct ipfs\.projectId/)
      assert.ok(findings.every(({ code }) => code !== 'IPFS_NODE_UNHEALTHY'))
    }
  })
})

/** The number of a process that has ended. */
async function deadProcess(): Promise<number> {
  const running = promisify(execFile)(process.execPath, ['--eval', ''])
  await running
  return running.child.pid ?? -1
}

/** The file of a socket whose process is gone. */
async function staleSocket(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  const running = execFile(process.execPath, ['--eval', script, path])
  await once(running, 'exit')
}
