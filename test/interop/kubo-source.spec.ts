/** The Kubo adapter against real Kubos. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { createKuboSource, type KuboSource, type KuboSourceInit } from '../../src/adapters/kubo/kubo-source.ts'
import { systemClock } from '../../src/adapters/system/clock.ts'
import { carOf } from '../../src/dag/car.ts'
import { verifyBlock, type VerifiedBlock } from '../../src/model/block.ts'
import { blockKey } from '../../src/model/content-id.ts'
import { SourceError } from '../../src/ports/block-source.ts'
import { DagSession, type SessionStore } from '../../src/retrieval/session.ts'
import { blockCandidate } from '../../src/retrieval/sources.ts'
import { blockSourceConformance } from '../conformance/block-source.ts'
import { aloneIn } from '../support/alone-in.ts'
import { distinctBytes, fileDag } from '../support/dag-builder.ts'
import { KuboNode, needsKubo } from '../support/kubo-node.ts'
import { silentLog } from '../support/silent-log.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts'
import { endAll, MIB, writeRandom } from './interop-support.ts'
import { startPasswordProxy } from './password-proxy.ts'

/** For what is there, which a busy Kubo takes its time to give. Milliseconds. */
const FIND_MS = 20_000
/** Searches in vain, in a Kubo that knows nobody: each lasts so long. Milliseconds. */
const SEARCH_MS = 3_000
const budget = () => ({ signal: AbortSignal.timeout(50_000) })

function sourceFor(init: Partial<KuboSourceInit> & Pick<KuboSourceInit, 'api'>): KuboSource {
  return createKuboSource({ clock: systemClock, log: silentLog, random: { number: () => 0.5 } }, { timeout: FIND_MS, ...init })
}

describe('Kubo source and real Kubos', () => {
  let kubo: KuboNode
  let twin: KuboNode
  let folder: TemporaryDirectory

  before(async function () {
    await needsKubo(this)
    ;[kubo, twin, folder] = await Promise.all([KuboNode.start(), KuboNode.start(), temporaryDirectory()])
  })
  after(async () => {
    await endAll([kubo, twin, folder])
  })

  blockSourceConformance('Kubo by its RPC', async () => {
    const source = sourceFor({ api: [kubo.api], timeout: SEARCH_MS })
    return {
      source,
      put: async (cid, bytes) => {
        assert.equal(await kubo.putBlock(bytes), cid.toString())
      },
      stall: () => {}, // a search for what nobody has lasts until its time is over
      close: async () => await source.stop()
    }
  })

  /** A file that the given nodes have. */
  async function added(name: string, size: number, ...nodes: readonly KuboNode[]): Promise<CID> {
    await writeRandom(join(folder.path, name), size)
    const [cid = ''] = await Promise.all(nodes.map(async node => await node.add(join(folder.path, name))))
    return CID.parse(cid)
  }

  /** Takes a DAG whole. @returns its verified bytes, leaves only */
  async function take(source: KuboSource, root: CID): Promise<number> {
    const seen = new Map<string, number>()
    const session = source.open(root)
    await session.dag?.(
      root,
      async (cid, bytes) => {
        seen.set(cid.toString(), verifyBlock(cid, bytes).cid.code === 0x55 ? bytes.byteLength : 0)
      },
      budget()
    )
    session.close()
    return [...seen.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  it('gives a whole file as one answer, and not-found for one that is not there', async () => {
    await using source = sourceFor({ api: [kubo.apiUrl] })
    assert.equal(await take(source, await added('whole', 5 * MIB + 1, kubo)), 5 * MIB + 1)
    const { root } = await fileDag(distinctBytes(3 * MIB, 77))
    await using short = sourceFor({ api: [kubo.apiUrl], timeout: SEARCH_MS })
    await assert.rejects(take(short, root), (error: unknown) => error instanceof SourceError && error.outcome === 'not-found')
    assert.equal(short.unavailable(), undefined)
  })

  it('knows that Kubo is there, and where it can be dialled', async () => {
    await using source = sourceFor({ api: [kubo.api] })
    await source.check({})
    const [health] = source.health()
    assert.deepEqual([health?.url, health?.healthy, health?.error], [kubo.apiUrl, true, undefined])
    assert.deepEqual(await source.swarmAddresses(budget()), [kubo.address])
  })

  it('takes the gateway of a Kubo for what it is: no RPC', async () => {
    await using source = sourceFor({ api: [kubo.gatewayUrl] })
    await source.check({})
    assert.match(source.health()[0]?.error ?? '', /no Kubo RPC at this address/)
  })

  it('gets in with the right name and password only, for reading and for giving', async () => {
    await using proxy = await startPasswordProxy(kubo.apiUrl, 'me', 's3cret')
    const root = await added('behind', 2 * MIB, kubo)
    await using stranger = sourceFor({ api: [proxy.url], auth: { projectId: 'me', projectSecret: 'wrong' } })
    await assert.rejects(
      stranger.open(root).get(root, budget()),
      (error: unknown) => error instanceof SourceError && error.outcome === 'refused' && /projectSecret/.test(error.message)
    )
    assert.equal(proxy.refused(), 1)
    await using source = sourceFor({ api: [proxy.url], auth: { projectId: 'me', projectSecret: 's3cret' } })
    assert.equal(await take(source, root), 2 * MIB)
    await source.provide(await content(3 * MIB + 1, 5), budget())
  })

  it('goes on with the second Kubo when the first is killed in the middle', async () => {
    const root = await added('shared', 30 * MIB, twin)
    const doomed = await KuboNode.start()
    try {
      await doomed.add(join(folder.path, 'shared'))
      await using source = sourceFor({ api: [doomed.api, twin.api] })
      const store = new KillingStore(async () => await doomed.kill('SIGKILL'))
      const session = new DagSession(store, root, { kind: 'all' })
      await session.loadLocal()
      const { signal } = budget()
      await blockCandidate(source, session, root, aloneIn(session)).run({ signal, verified: () => {}, remaining: () => Infinity })
      await session.done
      assert.equal(store.bytes >= 30 * MIB, true)
      assert.match(source.health()[0]?.error ?? '', /connection/)
      console.log(`      the rest of 25 MiB was here ${Math.round(performance.now() - store.killedAt)} ms after the first Kubo was gone`)
    } finally {
      await doomed[Symbol.asyncDispose]()
    }
  })

  it('does not wait for a Kubo that hangs', async () => {
    const root = await added('hung', 3 * MIB, kubo, twin)
    await using source = sourceFor({ api: [kubo.api, twin.api] })
    kubo.signal('SIGSTOP')
    try {
      const started = performance.now()
      assert.equal(await take(source, root), 3 * MIB)
      console.log(`      got it ${Math.round(performance.now() - started)} ms after asking a Kubo that hangs`)
    } finally {
      kubo.signal('SIGCONT')
    }
  })

  it('gives a root to Kubo, which then holds it', async () => {
    await using source = sourceFor({ api: [kubo.api] })
    const given = await content(4 * MIB + 3, 6)
    await source.provide(given, budget())
    await source.provide(given, budget())
    assert.match(await kubo.ipfs('pin', 'ls', '--type=recursive', given.root.toString()), /recursive/)
  })

  it('says what went wrong here while a root was given, and does not hold it against Kubo', async () => {
    await using source = sourceFor({ api: [kubo.api] })
    const { root } = await fileDag(distinctBytes(3 * MIB, 8))
    const unreadable = new Error('a block cannot be read')
    const car = async function* (): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(0)
      throw unreadable
    }
    await assert.rejects(source.provide({ root, car }, budget()), unreadable)
    assert.equal(source.health()[0]?.error, undefined)
  })

  async function content(size: number, seed: number) {
    const { root, blocks } = await fileDag(distinctBytes(size, seed))
    const byCid = new Map<string, VerifiedBlock>([...blocks.values()].map(block => [block.cid.toString(), block]))
    const get = async (cid: CID): Promise<VerifiedBlock> => {
      const block = byCid.get(cid.toString())
      assert.ok(block !== undefined)
      return block
    }
    return { root, car: (options: { signal?: AbortSignal }) => carOf(root, get, options) }
  }
})

/** Blocks in memory. When the fifth has come, something happens, and nothing is taken until it is over. */
class KillingStore implements SessionStore {
  readonly #blocks = new Map<string, VerifiedBlock>()
  readonly #kill: () => Promise<void>
  bytes = 0
  /** When it was over. Milliseconds. */
  killedAt = 0

  constructor(kill: () => Promise<void>) {
    this.#kill = kill
  }

  async has(cid: CID): Promise<boolean> {
    return this.#blocks.has(blockKey(cid))
  }

  async get(cid: CID): Promise<VerifiedBlock | undefined> {
    return this.#blocks.get(blockKey(cid))
  }

  async put(block: VerifiedBlock): Promise<boolean> {
    this.#blocks.set(blockKey(block.cid), block)
    this.bytes += block.bytes.byteLength
    if (this.#blocks.size === 5) {
      await this.#kill()
      this.killedAt = performance.now()
    }
    return true
  }
}
