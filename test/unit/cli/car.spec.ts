import assert from 'node:assert/strict'
import { join } from 'node:path'
import { VirtualClock } from '../../support/virtual-clock.ts'
import { rpcFixture } from '../rpc/support.ts'
import { kith } from './support.ts'

const CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('kith export and import', () => {
  it('name the file here, by its absolute path, for the daemon to write and read', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const asked: string[] = []
    services.content.export = async ({ path }) => {
      asked.push(path)
      return { roots: [CID], blocks: 1, bytes: 90 }
    }
    services.content.import = async ({ path, privacy }) => {
      asked.push(`${path} ${privacy ?? '-'}`)
      return { roots: [CID], blocks: 1, bytes: 90 }
    }
    const cases: [argv: string[], asked: string, printed: string][] = [
      [['export', `kith://${CID}`], join(home, `${CID}.car`), join(home, `${CID}.car`)],
      [['export', `/ipfs/${CID}/a/b.txt`], join(home, 'b.txt.car'), join(home, 'b.txt.car')],
      [['export', CID, '-o', '../x.car'], join(home, '../x.car'), join(home, '../x.car')],
      [['import', 'x.car'], `${join(home, 'x.car')} -`, CID],
      [['import', '/tmp/x.car', '--privacy', 'public'], '/tmp/x.car public', CID]
    ]
    for (const [argv, wanted, printed] of cases) {
      const { code, stdout, stderr } = await kith(argv, { home })
      assert.deepEqual([code, stdout, stderr], [0, `${printed}\n`, '1 block, 90 B\n'])
      assert.equal(asked.at(-1), wanted)
    }
    const { stdout } = await kith(['export', CID, '--json'], { home })
    assert.deepEqual(JSON.parse(stdout), { path: join(home, `${CID}.car`), roots: [CID], blocks: 1, bytes: 90 })
  })
})

describe('kith verify', () => {
  const damaged = { checkedBlocks: 5, corrupt: ['bad'], missing: ['gone', 'bad'], repaired: 0 }
  it('fails while something is damaged, and says how to repair it', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    services.content.verify = async () => damaged
    const plain = await kith(['verify'], { home })
    assert.equal(plain.code, 1)
    assert.match(plain.stdout, /^5 blocks checked: 1 corrupt, 2 missing\ncorrupt {2}bad\nmissing {2}gone\n[^]*kith verify --repair/)
    const json = await kith(['verify', '--json'], { home })
    assert.deepEqual([json.code, JSON.parse(json.stdout), json.stderr], [1, damaged, ''])
  })

  it('is content once everything was fetched again', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    services.content.verify = async ({ repair }) => ({ ...damaged, repaired: repair === true ? 2 : 0 })
    assert.deepEqual([(await kith(['verify', '--repair'], { home })).code, (await kith(['verify', CID], { home })).code], [0, 1])
  })

  it('names a few damaged blocks on a terminal, and all of them in JSON', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const missing = Array.from({ length: 500 }, (_, index) => `cid-${index}`)
    services.content.verify = async () => ({ checkedBlocks: 500, corrupt: [], missing, repaired: 0 })
    const { stdout } = await kith(['verify'], { home })
    assert.ok(stdout.split('\n').length < 30)
    assert.match(stdout, /and 480 more/)
    assert.equal(JSON.parse((await kith(['verify', '--json'], { home })).stdout).missing.length, 500)
  })
})

describe('kith link', () => {
  it('prints the address and the URLs, one a line', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    services.content.link = async params => ({ uri: `ipfs://${CID}`, gateways: [`https://gw/${JSON.stringify(params)}`] })
    const { stdout } = await kith(['link', CID, '--filename', 'a.txt', '--download'], { home })
    assert.equal(stdout, `ipfs://${CID}\nhttps://gw/${JSON.stringify({ content: CID, filename: 'a.txt', download: true })}\n`)
  })
})

describe('progress of long commands', () => {
  it('moves on a terminal while the daemon works, and is gone when it is done', async () => {
    await using fixture = await rpcFixture()
    const { home, services } = fixture
    const clock = new VirtualClock()
    const release = Promise.withResolvers<void>()
    const reported = Promise.withResolvers<void>()
    services.content.verify = async (_params, { onProgress }) => {
      // The daemon reports nothing of what is over at once.
      await fixture.clock.advance(1000)
      onProgress?.({ bytes: 500, total: 1000, source: { stage: 'peer', peer: '12D3' } })
      reported.resolve()
      await release.promise
      return { checkedBlocks: 1, corrupt: [], missing: [], repaired: 0 }
    }
    const drawn = Promise.withResolvers<string>()
    const done = kith(['verify'], {
      home,
      isTTY: true,
      clock,
      onStderr: text => {
        if (text.includes('50 %')) drawn.resolve(text)
      }
    })
    await reported.promise
    // The report travels through the socket: each redraw shows what has come until then.
    await passTime(clock, drawn.promise)
    assert.match(await drawn.promise, /every block {2}\[#{12}-{12}\] {2}50 % .*from peer 12D3/)
    release.resolve()
    const { stderr, code } = await done
    assert.equal(code, 0)
    assert.ok(stderr.endsWith('\r\u001b[K'))
  })

  it('shows nothing with --json or on a pipe', async () => {
    await using fixture = await rpcFixture()
    const { home } = fixture
    assert.equal((await kith(['verify', '--json'], { home, isTTY: true })).stderr, '')
    assert.equal((await kith(['verify'], { home })).stderr, '')
  })
})

/** Lets time pass until something has happened. */
async function passTime(clock: VirtualClock, until: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  void until.then(() => over.abort())
  while (!over.signal.aborted) await clock.advance(200)
}
