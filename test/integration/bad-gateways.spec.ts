/** Gateways that misbehave, to a real daemon: alone they end in a clear error, and beside a good one they cost nothing. */
import assert from 'node:assert/strict'
import { DaemonProcess } from '../../scripts/lib/daemon-process.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { distinctBytes, fileDag } from '../support/dag-builder.ts'
import { startTrustlessGateway, type GatewayBehaviour, type TrustlessGateway } from '../support/trustless-gateway.ts'
import { unharmed } from './bad-input-support.ts'
import { MIB, sha256Hex } from './daemon-support.ts'

interface Case {
  readonly name: string
  readonly behaviour: GatewayBehaviour
  /** How the call ends when nobody else has it; undefined: it gets what it asked for all the same. */
  readonly code?: ErrorCode
  /** What the attempt is booked as. */
  readonly outcome: string
}

const CASES: readonly Case[] = [
  { name: 'sends wrong bytes', behaviour: 'wrong-bytes', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends half of everything', behaviour: 'half-then-close', code: 'TIMEOUT', outcome: 'fault' },
  { name: 'sends an endless body', behaviour: 'endless', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'declares a body of 64 MiB', behaviour: 'oversized-length', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends garbage for a CAR', behaviour: 'garbage', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends a CAR whose header is longer than any', behaviour: 'long-header', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends a CAR with a block longer than any', behaviour: 'long-section', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends zeros without end', behaviour: 'zeros', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'sends a block of another content in between', behaviour: 'foreign-block', code: 'INTEGRITY', outcome: 'corrupt' },
  { name: 'answers 500', behaviour: { status: 500 }, code: 'NOT_FOUND', outcome: 'fault' },
  { name: 'answers 403', behaviour: { status: 403 }, code: 'NOT_FOUND', outcome: 'refused' },
  {
    name: 'asks for a pause of a year',
    behaviour: { status: 429, headers: { 'retry-after': '31536000' } },
    code: 'NOT_FOUND',
    outcome: 'refused'
  },
  {
    name: 'redirects to the metadata service of a cloud',
    behaviour: { redirect: 'http://169.254.169.254/latest' },
    code: 'NOT_FOUND',
    outcome: 'fault'
  },
  { name: 'redirects to itself for ever', behaviour: { redirect: '?format=car' }, code: 'NOT_FOUND', outcome: 'fault' },
  { name: 'sends a CAR whose header names another root', behaviour: 'other-root', outcome: 'ok' },
  { name: 'goes on after the last block with copies of the first', behaviour: 'copies', outcome: 'ok' },
  { name: 'sends the root only, and then single blocks', behaviour: 'root-only', outcome: 'ok' },
  { name: 'has no CARs', behaviour: 'raw-only', outcome: 'ok' },
  { name: 'sends a web page for a CAR', behaviour: 'web-page', outcome: 'ok' }
]

interface Noted {
  readonly url?: string
  readonly outcome: string
}

describe('a daemon with a gateway that', () => {
  const parts = new AsyncDisposableStack()
  let all: readonly TrustlessGateway[]
  let bad: TrustlessGateway
  let good: TrustlessGateway
  let daemon: DaemonProcess
  let seed = 100

  // One for each test: who misbehaves is left alone for a while. The good one is asked last.
  before(async () => {
    all = await Promise.all(Array.from({ length: CASES.length + 3 }, async () => parts.use(await startTrustlessGateway())))
    good = all.at(-1) ?? parts.use(await startTrustlessGateway())
    const gateways = all.map(({ url }) => `{url: "${url}"}`).join()
    daemon = parts.use(await DaemonProcess.start({ set: [`gateways=[${gateways}]`, 'routing.gatewayDelay=0'] }))
  })
  after(async () => {
    await parts.disposeAsync()
  })
  beforeEach(() => {
    const [next, ...rest] = all
    bad = next ?? good
    all = rest
  })
  afterEach(() => {
    bad.behave('honest')
  })

  /** A new file of several blocks that these gateways have. */
  async function published(...gateways: readonly TrustlessGateway[]): Promise<{ content: string; bytes: Uint8Array }> {
    const bytes = distinctBytes(3 * MIB + 5, ++seed)
    const { root, blocks } = await fileDag(bytes)
    for (const gateway of gateways) for (const block of blocks.values()) gateway.put(block.cid, block.bytes)
    return { content: root.toString(), bytes }
  }

  const ofBad = (attempts: unknown): string[] =>
    (attempts as readonly Noted[]).filter(({ url }) => url === bad.url).map(({ outcome }) => outcome)

  for (const { name, behaviour, code, outcome } of CASES) {
    it(`${name}: ${code === undefined ? 'it is served' : `${code} alone, and the next one serves`}`, async () => {
      bad.behave(behaviour)
      const alone = await published(bad)
      const get = async () => await daemon.client.call('content.get', { content: alone.content, ttl: 50 })
      if (code === undefined) {
        const got = await unharmed(daemon, get)
        assert.deepEqual([got.sha256, ofBad(got.attempts)], [sha256Hex(alone.bytes), [outcome]])
        return
      }
      const error = await unharmed(daemon, get, { code })
      assert.deepEqual(ofBad(error.data['attempts']), [outcome])
      assert.deepEqual(await daemon.client.call('content.has', { content: alone.content }), { local: false })
      const both = await published(bad, good)
      const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content: both.content, ttl: 50 }))
      assert.deepEqual([got.sha256, got.attempts.at(-1)?.url], [sha256Hex(both.bytes), good.url])
      assert.ok(bad.sentBytes() < 64 * MIB, `${bad.sentBytes()} bytes were sent`)
    })
  }

  it('redirects to another place on this machine: nothing there is asked', async () => {
    await using private_ = await startTrustlessGateway()
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0.0.0.0']) {
      const { content, bytes } = await published(bad, good, private_)
      bad.behave({ redirect: `http://${host}:${private_.port}/ipfs/${content}?format=car` })
      const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content }))
      assert.deepEqual([got.sha256, got.source.url], [sha256Hex(bytes), good.url], host)
    }
    assert.equal(private_.requests.length, 0)
  })

  it('drips a byte at a time: the search ends when its time is over, and the next one is asked long before', async () => {
    bad.behave('drip')
    const alone = await published(bad)
    await unharmed(daemon, async () => await daemon.client.call('content.get', { content: alone.content, ttl: 1 }), { code: 'NOT_FOUND' })
    const both = await published(bad, good)
    const got = await unharmed(daemon, async () => await daemon.client.call('content.get', { content: both.content }))
    assert.deepEqual([got.sha256, got.source.url], [sha256Hex(both.bytes), good.url])
  })
})
