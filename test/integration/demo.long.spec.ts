/** `npm run demo` as a newcomer runs it: a process that starts others, and leaves nothing behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, watch, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const CHECKOUT = new URL('../../', import.meta.url).pathname
/** Only how long a hung one hangs: it promises 30 s on two free cores, and a busy machine is many times slower. Milliseconds. */
const DEMO_MS_MAX = 180_000

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

describe('demo', function () {
  this.timeout(DEMO_MS_MAX)
  let temporary = ''
  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'kith-demo-'))
  })
  afterEach(async () => {
    await rm(temporary, { recursive: true })
  })

  const demo = (...options: string[]): { readonly ended: Promise<Ended>; readonly interrupt: () => void } => {
    const child = spawn(process.execPath, [join(CHECKOUT, 'scripts', 'demo.ts'), ...options], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    const exit = once(child, 'exit')
    const ended = Promise.all([exit, text(child.stdout), text(child.stderr)]).then(([, stdout, stderr]) => ({
      code: child.exitCode,
      stdout,
      stderr
    }))
    return { ended, interrupt: () => void child.kill('SIGINT') }
  }
  const scenario = async (steps: string): Promise<string> => {
    const path = join(temporary, 'story.yaml')
    await writeFile(
      path,
      `version: 1\nseed: 3\nnodes: [{ name: you, kind: kith, connect: [ana] }, { name: ana, kind: kith }]\nfiles: [{ name: note, size: 2KiB, at: ana, privacy: public }]\nsteps: ${steps}\n`
    )
    return path
  }
  const leftBehind = async (): Promise<string[]> => (await readdir(temporary)).filter(name => name !== 'story.yaml')

  it('shows every stage, and the bytes are those of the original', async () => {
    const { code, stdout, stderr } = await demo('--json').ended
    assert.equal(stderr, '')
    const told: unknown = JSON.parse(stdout)
    assert.ok(typeof told === 'object' && told !== null && 'steps' in told && Array.isArray(told.steps))
    const rows = told.steps.map(({ get, expected, stage, from, equal }) => [get, expected, stage, from ?? null, equal].join(' '))
    assert.deepEqual(rows, [
      ...['letter-1', 'photo-1', 'song-1', 'film-1'].map(name => `${name} peer peer ana true`),
      ...['letter-2', 'photo-2', 'song-2', 'film-2'].map(name => `${name} ipfs ipfs iris true`),
      ...['letter-3', 'photo-3', 'song-3', 'film-3'].map(name => `${name} gateway gateway gate true`),
      'letter-4 not-found not-found  ',
      ...['letter-1', 'photo-2', 'film-3'].map(name => `${name} local local you true`)
    ])
    const asked = told.steps[12].attempts.map(({ stage, outcome }: { stage: string; outcome: string }) => `${stage} ${outcome}`)
    // The friend said she has it, so she is dialled as long as her word is remembered.
    assert.deepEqual(
      asked.filter((attempt: string) => attempt !== 'peer fault'),
      ['ipfs not-found', 'gateway fault']
    )
    assert.deepEqual([code, 'ok' in told && told.ok], [0, true])
    assert.deepEqual(await leftBehind(), [])
  })

  it('fails when a file came from elsewhere than expected, and says so without colours on a pipe', async () => {
    const path = await scenario(
      '[{ get: note, by: you, expect: gateway }, { stop: ana }, { start: ana }, { get: note, by: you, expect: local }]'
    )
    const { code, stdout } = await demo('--scenario', path).ended
    assert.equal(code, 1)
    assert.match(stdout, /note +2\.0 KiB +peer +ana .*✗ expected gateway/)
    assert.match(stdout, /ana: process killed\n.*ana: process started\n(.*\n)*.*note +2\.0 KiB +local/)
    assert.match(stdout, /1 of 2 answers are not as expected/)
    for (const control of ['\u001b', '\r']) assert.ok(!stdout.includes(control))
    assert.deepEqual(await leftBehind(), [])
  })

  it('cleans up when it is interrupted while it starts', async () => {
    const path = await scenario('[{ get: note, by: you, expect: peer }]')
    const changes = watch(temporary, { signal: AbortSignal.timeout(DEMO_MS_MAX) })
    const running = demo('--scenario', path)
    for await (const { filename } of changes) if (filename?.startsWith('kith-') === true) break
    running.interrupt()
    assert.deepEqual(await running.ended, { code: 130, stdout: '', stderr: '' })
    assert.deepEqual(await leftBehind(), [])
  })

  it('refuses a scenario that is wrong in words', async () => {
    const wrong = await demo('--scenario', await scenario('[{ stop: anna }]')).ended
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /story\.yaml: step "stop": there is no node "anna"\. Did you mean "ana"\?/)
    assert.deepEqual([(await demo('--scenario', '/nowhere').ended).code, (await demo('--jsn').ended).code], [2, 2])
  })
})
