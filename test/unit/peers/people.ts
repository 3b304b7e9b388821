/** Builders for tests of trust: nodes by number, and a standing over memory with a clock that is moved. */
import { memoryState } from '../../../src/adapters/memory/memory-state.ts'
import { AssertionBook, type StoredAssertion } from '../../../src/peers/assertions.ts'
import { BehaviourBook } from '../../../src/peers/behaviour.ts'
import { didFromPublicKey, peerIdFromDid } from '../../../src/peers/did-key.ts'
import type { Bindings } from '../../../src/peers/judge.ts'
import { PersonBlocks } from '../../../src/peers/person-blocks.ts'
import { PeerStanding } from '../../../src/peers/standing.ts'
import { TrustBook } from '../../../src/peers/trust-book.ts'
import type { StateStore } from '../../../src/ports/state-table.ts'
import { silentLog } from '../../support/silent-log.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

export const DAY = 86_400_000
export const YEAR_SECONDS = 365 * 86_400

/** The DID of a key nobody has: good for everything but signing. */
export function didOf(n: number): string {
  const raw = new Uint8Array(32)
  new DataView(raw.buffer).setUint32(0, n)
  return didFromPublicKey(raw)
}

export function peerOf(n: number): string {
  return peerIdFromDid(didOf(n))
}

export interface TrustFixture {
  readonly clock: VirtualClock
  readonly state: StateStore
  readonly book: TrustBook
  readonly blocks: PersonBlocks
  readonly behaviour: BehaviourBook
  readonly assertions: AssertionBook
  readonly standing: PeerStanding
  /** One node says something of another, as if it had been verified. */
  readonly say: (iss: number, sub: number, level: number, over?: Partial<StoredAssertion>) => Promise<void>
}

export interface TrustFixtureInit {
  readonly default?: number
  readonly maxDepth?: number
  readonly halfLife?: number
  readonly bindings?: Bindings
  /** What an earlier one left. */
  readonly before?: Pick<TrustFixture, 'clock' | 'state'>
}

export function trustFixture(init: TrustFixtureInit = {}): TrustFixture {
  const { clock = new VirtualClock(), state = memoryState() } = init.before ?? {}
  const book = new TrustBook({ state })
  const behaviour = new BehaviourBook({ state, clock, log: silentLog, isKnown: did => book.get(did) !== undefined })
  const assertions = new AssertionBook({ state, clock, isKnown: did => (book.get(did)?.level ?? 0) > 0 })
  const standing = new PeerStanding(
    { clock, log: silentLog, book, behaviour, assertions, ...(init.bindings === undefined ? {} : { bindings: init.bindings }) },
    { default: init.default ?? 0, maxDepth: init.maxDepth ?? 2, halfLife: init.halfLife ?? 90 * DAY, minTrusted: 5 }
  )
  const blocks = new PersonBlocks({ book, state, log: silentLog, ...(init.bindings === undefined ? {} : { bindings: init.bindings }) })
  const say: TrustFixture['say'] = async (iss, sub, level, over = {}) => {
    const iat = Math.floor(clock.now() / 1000)
    await assertions.put({ iss: didOf(iss), sub: didOf(sub), level, iat, exp: iat + YEAR_SECONDS, ...over }, 'known')
  }
  return { clock, state, book, blocks, behaviour, assertions, standing, say }
}
