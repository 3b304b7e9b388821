import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const KITH = join(import.meta.dirname, '../../bin/kith.js')

interface Diagnosis {
  readonly code: number
  readonly ok: boolean
  readonly severities: Readonly<Record<string, string>>
  readonly messages: string
}

/** Runs the program as a person does, with `--json`. */
async function doctor(home: string, ...argv: readonly string[]): Promise<Diagnosis> {
  const { code, stdout } = await kith(['doctor', '--home', home, '--json', ...argv])
  const { ok, findings }: { ok: boolean; findings: { code: string; severity: string; message: string }[] } = JSON.parse(stdout)
  return {
    code,
    ok,
    severities: Object.fromEntries(findings.map(finding => [finding.code, finding.severity])),
    messages: findings.map(({ message }) => message).join('\n')
  }
}

async function kith(argv: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return await new Promise(resolve => {
    const child = execFile(process.execPath, [KITH, ...argv], { env: { PATH: process.env['PATH'] } }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr })
    )
  })
}

describe('kith doctor beside a real daemon', () => {
  it('finds nothing wrong with a daemon that runs', async () => {
    await using daemon = await DaemonProcess.start()
    const { code, ok, severities, messages } = await doctor(daemon.home)
    assert.deepEqual([code, ok], [0, true], messages)
    assert.equal(severities['DAEMON'], 'ok')
    assert.equal(severities['VERSIONS_DIFFER'], undefined)
    assert.ok(messages.includes(daemon.ready.peerId))
  })

  it('finds a daemon that hangs, by the lock it holds and by its silence', async () => {
    await using daemon = await DaemonProcess.start()
    process.kill(daemon.pid, 'SIGSTOP')
    try {
      const hanging = await doctor(daemon.home, '--timeout', '500ms')
      assert.deepEqual([hanging.code, hanging.severities['DAEMON_SILENT']], [1, 'error'])
      const elsewhere = await doctor(daemon.home, '--socket', join(daemon.home, 'other.sock'))
      assert.equal(elsewhere.code, 1)
      assert.match(elsewhere.messages, new RegExp(`process ${daemon.pid} holds the home`))
    } finally {
      process.kill(daemon.pid, 'SIGCONT')
    }
  })

  it('finds what a killed daemon left, and no fault in it', async () => {
    await using home = await temporaryDirectory()
    const daemon = await DaemonProcess.start({ home: home.path })
    await daemon.kill('SIGKILL')
    await daemon[Symbol.asyncDispose]()
    const { code, severities } = await doctor(home.path)
    assert.deepEqual([code, severities['DAEMON_STOPPED'], severities['STALE_SOCKET']], [0, 'info', 'info'])
  })

  it('finds the port of a stopped daemon taken by another', async () => {
    await using other = await DaemonProcess.start()
    const [, port] = /\/tcp\/(\d+)/.exec(other.address) ?? []
    await using home = await temporaryDirectory()
    await writeFile(join(home.path, 'config.yaml'), `network: {listen: /ip4/127.0.0.1/tcp/${port}}\n`)
    const { code, severities } = await doctor(home.path)
    assert.deepEqual([code, severities['PORT_TAKEN']], [1, 'error'])
  })

  it('finds several things wrong at once, one a line for people', async () => {
    await using home = await temporaryDirectory()
    await chmod(home.path, 0o755)
    await writeFile(join(home.path, 'config.yaml'), 'netwrok: {}\n')
    const { code, stdout, stderr } = await kith(['doctor', '--home', home.path])
    assert.deepEqual([code, stderr], [1, ''])
    assert.match(stdout, /^error {4}the home .* is open to other users\. To do: chmod 700/m)
    assert.match(stdout, /^error {4}netwrok.*"network"/m)
    assert.doesNotMatch(stdout, /[.?!]\. To do/)
    assert.match(stdout, /2 things are wrong\.\n$/)
  })
})
