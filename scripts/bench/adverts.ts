/** Adverts: building a filter, looking a content up in many, judging one that arrives. In this process: no network is part of it. */
import { createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { BloomFilter } from 'bloom-filters'
import { memoryState } from '../../src/adapters/memory/memory-state.ts'
import { systemClock as clock } from '../../src/adapters/system/clock.ts'
import { systemRandom } from '../../src/adapters/system/random.ts'
import { encodeAdvert, filterDigest } from '../../src/adverts/codec.ts'
import { AdvertDirectory } from '../../src/adverts/directory.ts'
import { buildFilter } from '../../src/adverts/filter.ts'
import { encodeFilter } from '../../src/adverts/filter-codec.ts'
import { remembered } from '../../src/lib/remembered.ts'
import { rawCid } from '../../src/model/content-id.ts'
import { MIB } from '../../src/model/units.ts'
import { EventBus } from '../../src/observe/events.ts'
import { didFromPeerId, didFromPublicKey } from '../../src/peers/did-key.ts'
import { signJwt } from '../../src/peers/jwt.ts'
import { STRANGERS } from '../../src/peers/strangers.ts'
import type { Identity } from '../../src/ports/identity.ts'
import type { Log } from '../../src/ports/log.ts'
import { makeRanking } from '../../src/ranking/make-ranking.ts'
import { UNMEASURED } from '../../src/ranking/unmeasured.ts'
import { PeerPlanner } from '../../src/retrieval/plan-peers.ts'
import { absoluteLine, median, type BenchSettings, type Line } from './measure.ts'

const ENTRIES = 100_000
const PEERS = 1_000
/** Entries of each of the many adverts: a home's worth. */
const ENTRIES_EACH = 1_000
const LOOK_UPS_A_SECOND = 1_000
/** Of the peers. */
const CONNECTED = 50
const RATE = 0.001
const nothing = (): void => {}
const silent: Log = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent }

export async function adverts({ quick, say }: BenchSettings): Promise<Line[]> {
  say('adverts: building filters')
  const built = measureBuild(quick ? 5 : 15)
  say(`adverts: taking the adverts of ${PEERS} peers`)
  const people = await Promise.all(Array.from({ length: PEERS }, makeIdentity))
  const directory = new AdvertDirectory(
    {
      clock,
      log: silent,
      events: new EventBus({ clock }),
      self: 'self',
      pull: async () => null,
      isConnected: () => true,
      standing: STRANGERS,
      estimates: UNMEASURED,
      state: memoryState()
    },
    { maxBytes: 0 }
  )
  const taken = await takeAll(directory, people)
  say('adverts: looking contents up')
  const lookUp = measureLookUps(directory, quick ? 300 : 2_000)
  const plan = measurePlans(directory, people, lookUp.value, quick ? 300 : 2_000)
  const delay = await loopDelay(directory, quick ? 2 : 10)
  await directory.close()
  return [
    absoluteLine({ case: 'adverts', name: `a filter of ${ENTRIES} entries, built`, unit: 'ms', ...built }, { atMost: 100 }),
    absoluteLine({ case: 'adverts', name: `one content against ${PEERS} adverts`, unit: 'ms', ...lookUp }, { atMost: 0.5 }),
    absoluteLine({ case: 'adverts', name: `a plan with them, ${CONNECTED} peers connected`, unit: 'ms', ...plan }),
    absoluteLine({ case: 'adverts', name: `event loop delay, ${LOOK_UPS_A_SECOND} look-ups/s`, unit: 'ms', ...delay }, { atMost: 20 }),
    absoluteLine({ case: 'adverts', name: 'an advert checked and stored', unit: 'ms', ...taken }, { atMost: 3 })
  ]
}

type Figure = Pick<Line, 'value' | 'reference' | 'runs'>

/** Beside it: SHA-256 of as many digests, which any way to index by hashing would cost at least. */
function measureBuild(rounds: number): Figure {
  const elements = digests(ENTRIES, 0)
  const runs = repeat(rounds, () => {
    encodeFilter(buildFilter(elements, { falsePositiveRate: RATE, salt: new Uint8Array(8) }).filter)
  })
  const hashing = repeat(3, () => {
    for (const element of elements) createHash('sha256').update(element).digest()
  })
  return { value: median(runs), runs, reference: { name: 'SHA-256 of each', value: median(hashing) } }
}

/** Beside it: the package's own look-up, as it comes, in one filter of the same shape; a thousandth of the work. */
function measureLookUps(directory: AdvertDirectory, rounds: number): Figure {
  const wanted = digests(rounds, 50_000_000)
  let yes = 0
  const runs = wanted.map(sha256 =>
    timed(() => {
      yes += directory.claimsOn({ sha256 }).claimants().length
    })
  )
  if (yes > rounds * PEERS * RATE * 2) throw new Error(`${yes} of ${rounds * PEERS} look-ups said yes`)
  const stock = BloomFilter.create(Math.ceil(ENTRIES_EACH * 1.25), RATE)
  const reference = repeat(50, () => {
    for (const sha256 of wanted.slice(0, 10)) stock.has(Buffer.from(sha256).toString('hex'))
  })
  return { value: median(runs), reference: { name: 'ten by the package', value: median(reference) } }
}

/** Whom to ask for a content of which both root and hash are known and which nobody claims. Beside it: the look-up by one of the two. */
function measurePlans(directory: AdvertDirectory, people: readonly Identity[], lookUp: number, rounds: number): Figure {
  const connected = people
    .slice(0, CONNECTED)
    .map(({ peerId }) => ({ peer: peerId, addresses: [], since: 0, protocols: [], identified: true, relayed: false }))
  const planner = new PeerPlanner(
    {
      network: { peers: () => connected },
      isKith: () => true,
      directory,
      ranking: makeRanking('expected-time', { random: systemRandom }),
      standing: STRANGERS,
      estimates: UNMEASURED,
      didOf: remembered(didFromPeerId, PEERS)
    },
    { askUnknownMinTrust: 0, proxyMinTrust: 5 }
  )
  const hashes = digests(rounds, 70_000_000)
  const runs = digests(rounds, 60_000_000).map((digest, n) => {
    const root = rawCid(digest)
    const question = { root, multihash: root.multihash.bytes, sha256: hashes[n], isPublic: true, size: MIB }
    return timed(() => {
      planner.plan(question)
      planner.proxies(question)
    })
  })
  return { value: median(runs), reference: { name: 'one content against them', value: lookUp } }
}

/** Contents are looked up as they come, one a millisecond, while everything else of the process must go on. */
async function loopDelay(directory: AdvertDirectory, seconds: number): Promise<Figure> {
  const idle = await worstDelay(seconds, () => {})
  const wanted = digests(LOOK_UPS_A_SECOND, 90_000_000)
  const busy = await worstDelay(seconds, n => {
    const sha256 = wanted[n % wanted.length]
    directory.claimsOn({ sha256 }).claimants()
  })
  return { value: busy, reference: { name: 'idle, ms', value: idle } }
}

/** @returns the 99th percentile of the delay of the event loop, ms */
async function worstDelay(seconds: number, run: (n: number) => void): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  const startedAt = performance.now()
  histogram.enable()
  for (let n = 0; n < seconds * LOOK_UPS_A_SECOND; n++) {
    do await turn()
    while (performance.now() - startedAt < (n * 1000) / LOOK_UPS_A_SECOND)
    run(n)
  }
  histogram.disable()
  return histogram.percentile(99) / 1e6
}

/** Beside it: one Ed25519 signature by the node's key, which each advert costs its maker. */
async function takeAll(directory: AdvertDirectory, people: readonly Identity[]): Promise<Figure> {
  const runs: number[] = []
  const signing: number[] = []
  for (const [index, node] of people.entries()) {
    const startedAt = performance.now()
    await node.sign(new Uint8Array(500))
    signing.push(performance.now() - startedAt)
    const message = { from: node.peerId, via: node.peerId, data: await advertOf(node, index) }
    runs.push(await take(directory, message))
  }
  return { value: median(runs), reference: { name: 'one signature', value: median(signing) } }
}

/** Those that come faster than all together are taken are put off, which costs next to nothing: only the attempt that succeeds counts. */
async function take(directory: AdvertDirectory, message: Parameters<AdvertDirectory['receive']>[0]): Promise<number> {
  for (;;) {
    const arrived = performance.now()
    const validity = await directory.validate(message)
    directory.receive(message)
    if (validity === 'accept') return performance.now() - arrived
    if (validity === 'reject') throw new Error('an advert was rejected')
    await new Promise<void>(resolve => setTimeout(resolve, 25))
  }
}

async function advertOf(node: Identity, index: number): Promise<Uint8Array> {
  const { filter } = buildFilter(digests(ENTRIES_EACH, index * ENTRIES_EACH), {
    falsePositiveRate: RATE,
    salt: new Uint8Array(8).fill(index)
  })
  const encoded = encodeFilter(filter)
  const contentIndex = { digest: filterDigest(encoded), bytes: encoded.byteLength, count: filter.count, truncated: false }
  const caps = { did: node.did, ipfsNode: { enabled: true, type: 'helia' }, contentIndex }
  const iat = Math.floor(Date.now() / 1000)
  const jwt = await signJwt({ aud: 'kith/adverts/1', iat, exp: iat + 3600, seq: Date.now(), peerId: node.peerId, v: 1, caps }, node)
  return encodeAdvert({ jwt, filter: encoded })
}

async function makeIdentity(): Promise<Identity> {
  const key = await generateKeyPair('Ed25519')
  return {
    peerId: peerIdFromPrivateKey(key).toString(),
    did: didFromPublicKey(key.publicKey.raw),
    sign: async bytes => await key.sign(bytes)
  }
}

function digests(count: number, from: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, n) =>
      new Uint8Array(
        createHash('sha256')
          .update(String(from + n))
          .digest()
      )
  )
}

function repeat(rounds: number, run: () => void): number[] {
  return Array.from({ length: rounds }, () => timed(run))
}

function timed(run: () => void): number {
  const startedAt = performance.now()
  run()
  return performance.now() - startedAt
}
