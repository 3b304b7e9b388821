/**
 * A small world for rankings: twelve peers of all kinds, contents on some of them, one request after the other in
 * virtual time. The same seed gives every ranking the same peers, contents and accidents.
 */
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { MeasuredEstimates } from '../../../src/ranking/estimates.ts'
import { HedgeBudget, hedgeAfter } from '../../../src/ranking/hedge-budget.ts'
import { makeRanking, type RankingName } from '../../../src/ranking/make-ranking.ts'
import type { Candidate } from '../../../src/ranking/ranking.ts'
import { candidateFor, HandClock, SeededRandom } from './support.ts'

const PEERS = 12
const HEDGE_DELAY_MS = 250
const GAP_MS = 1_000
const SIZES = [
  { share: 0.7, bytes: 64_000 },
  { share: 0.25, bytes: 1_000_000 },
  { share: 0.05, bytes: 32_000_000 }
]

interface Peer {
  readonly id: string
  readonly rttMs: number
  readonly bytesPerMs: number
  readonly faultShare: number
  slowness: number
}

/** What would happen if this peer were asked: drawn for every peer of every request, asked or not. */
interface Fate {
  readonly fails: boolean
  readonly firstByteMs: number
  readonly totalMs: number
}

export interface Simulated {
  /** Milliseconds of each request, in order. */
  readonly times: readonly number[]
  readonly extraRequests: number
}

export interface SimulationInit {
  readonly seed: number
  readonly requests: number
  /** A second peer is asked when the first is late, within the budget. */
  readonly hedged?: boolean
}

export function simulate(name: RankingName, { seed, requests, hedged = false }: SimulationInit): Simulated {
  const world = new SeededRandom(seed)
  const own = new SeededRandom(seed + 1_000_000)
  const peers = Array.from({ length: PEERS }, (_, index) => peerOf(index, world))
  const clock = new HandClock()
  const estimates = new MeasuredEstimates({ clock, state: memoryState(), isTrusted: () => true })
  const ranking = makeRanking(name, { random: own })
  const budget = new HedgeBudget()
  const times: number[] = []
  let extraRequests = 0
  for (let request = 0; request < requests; request++) {
    if (request === requests >> 1) best(peers).slowness = 8
    const size = sizeOf(world.number())
    const holders = shuffled(peers, world).slice(0, 3 + Math.floor(world.number() * 6))
    const fates = new Map(peers.map(peer => [peer.id, fateOf(peer, size, world)]))
    const candidates = holders.map(({ id }): Candidate => candidateFor(id, { estimate: estimates.of(id) }))
    const order = ranking.order(candidates, { size, draw: own.number() }).map(({ candidate }) => candidate)
    budget.request()
    const played = play(order, fates, { estimates, clock, size, budget, hedged })
    times.push(played.ms)
    extraRequests += played.hedges
    clock.pass(GAP_MS)
  }
  return { times, extraRequests }
}

export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? NaN
}

interface Setting {
  readonly estimates: MeasuredEstimates
  readonly clock: HandClock
  readonly size: number
  readonly budget: HedgeBudget
  readonly hedged: boolean
}

/** Peers one after another until one delivers, with at most one beside the one that is late. */
function play(order: readonly Candidate[], fates: ReadonlyMap<string, Fate>, setting: Setting): { ms: number; hedges: number } {
  let ms = 0
  for (let place = 0; place < order.length; place++) {
    const first = order[place]
    const second = order[place + 1]
    const fate = first === undefined ? undefined : fates.get(first.peer)
    if (first === undefined || fate === undefined) break
    const after = hedgeAfter(first.estimate, HEDGE_DELAY_MS)
    const other = second === undefined ? undefined : fates.get(second.peer)
    const isLate = setting.hedged && (fate.fails ? fate.totalMs : fate.firstByteMs) > after
    if (isLate && second !== undefined && other !== undefined && setting.budget.take()) {
      const raced = race({ peer: first.peer, fate }, { peer: second.peer, fate: other }, after, setting)
      ms += raced.ms
      if (raced.isDone) return { ms, hedges: 1 }
      place++
      continue
    }
    ask(first.peer, fate, setting)
    ms += fate.totalMs
    if (!fate.fails) return { ms, hedges: 0 }
  }
  return { ms, hedges: 0 }
}

interface Runner {
  readonly peer: string
  readonly fate: Fate
}

/** Whose first byte comes first wins, the other is cancelled then. */
function race(first: Runner, second: Runner, after: number, { estimates, clock, size }: Setting): { ms: number; isDone: boolean } {
  const begun = estimates.begin(first.peer)
  clock.pass(after)
  const joined = estimates.begin(second.peer)
  const firstAt = first.fate.fails ? Infinity : first.fate.firstByteMs
  const secondAt = second.fate.fails ? Infinity : after + second.fate.firstByteMs
  if (firstAt === Infinity && secondAt === Infinity) {
    const ms = Math.max(first.fate.totalMs, after + second.fate.totalMs)
    clock.pass(ms - after)
    begun.end('fault', 0)
    joined.end('fault', 0)
    return { ms, isDone: false }
  }
  const isFirst = firstAt <= secondAt
  const [winner, loser, won] = isFirst ? [begun, joined, first.fate] : [joined, begun, second.fate]
  const firstByteAt = Math.min(firstAt, secondAt)
  clock.pass(firstByteAt - after)
  winner.firstByte()
  loser.end('cancelled', 0)
  clock.pass(won.totalMs - won.firstByteMs)
  winner.end('ok', size)
  return { ms: firstByteAt + won.totalMs - won.firstByteMs, isDone: true }
}

function ask(peer: string, fate: Fate, { estimates, clock, size }: Setting): void {
  const measurement = estimates.begin(peer)
  if (fate.fails) {
    clock.pass(fate.totalMs)
    measurement.end('fault', 0)
    return
  }
  clock.pass(fate.firstByteMs)
  measurement.firstByte()
  estimates.latency(peer, fate.firstByteMs)
  clock.pass(fate.totalMs - fate.firstByteMs)
  measurement.end('ok', size)
}

function peerOf(index: number, world: SeededRandom): Peer {
  return {
    id: `peer${index}`,
    rttMs: 5 * 60 ** world.number(),
    bytesPerMs: 500 * 100 ** world.number(),
    faultShare: 0.2 * world.number(),
    slowness: 1
  }
}

function fateOf(peer: Peer, size: number, world: SeededRandom): Fate {
  const [fault, failing, stall, stalled] = [world.number(), world.number(), world.number(), world.number()]
  const firstByteMs = peer.rttMs * Math.exp(0.5 * normal(world)) * peer.slowness + (stall < 0.02 ? 500 + 2_500 * stalled : 0)
  const transferMs = (size / (peer.bytesPerMs * Math.exp(0.3 * normal(world)))) * peer.slowness
  const fails = fault < peer.faultShare
  return { fails, firstByteMs, totalMs: fails ? 600 + 1_400 * failing : firstByteMs + transferMs }
}

function normal(world: SeededRandom): number {
  return Math.sqrt(-2 * Math.log(1 - world.number())) * Math.cos(2 * Math.PI * world.number())
}

function best(peers: readonly Peer[]): Peer {
  const cost = (peer: Peer): number => peer.rttMs + 1_000_000 / peer.bytesPerMs + peer.faultShare * 1_000
  return peers.reduce((a, b) => (cost(b) < cost(a) ? b : a))
}

function sizeOf(draw: number): number {
  let passed = 0
  for (const { share, bytes } of SIZES) if (draw < (passed += share)) return bytes
  return 64_000
}

function shuffled<T>(items: readonly T[], world: SeededRandom): T[] {
  return items
    .map(item => ({ item, at: world.number() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
