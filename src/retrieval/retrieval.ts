/**
 * One retrieval under way: a session to fill, a ladder of sources to fill it, and what came of it. Several callers
 * may share one (single flight); each reads at its own pace.
 */
import type { CID } from 'multiformats/cid'
import { readFile } from '../dag/file.ts'
import { KithError, toKithError } from '../errors.ts'
import { abortable } from '../lib/deadline.ts'
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import { Sha256 } from '../model/sha256.ts'
import type { Attempt, BytesByStage, SourceId } from '../model/source.ts'
import { GIB, type Bytes, type Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import { FoundPrivate } from './found-private.ts'
import type { Claimed, HeadClaims } from './head-claims.ts'
import { howFar } from './how-far.ts'
import type { Ladder } from './ladder.ts'
import type { NotFoundOf } from './not-found.ts'
import type { DagSession } from './session.ts'

export interface RetrievalReport {
  readonly source: SourceId
  readonly bytes: BytesByStage
  readonly attempts: readonly Attempt[]
  readonly ms: Ms
  readonly firstByteMs: Ms
  readonly sha256?: Uint8Array
}

/**
 * Content up to this size is always hashed as a whole. Above it only if its distinct blocks make up a fair part of
 * it: a few blocks may unfold into petabytes, and hashing those would keep this node busy for years. Bytes.
 */
const UNFOLDED_BYTES_MAX = GIB
/** Content of up to this many pieces is always hashed, whatever their size: a second of work. */
const UNFOLDED_PIECES_MAX = 65_536
/** How many times over its distinct blocks, or their bytes, a larger content may unfold and still be hashed. */
const UNFOLDING_MAX = 16

export const NO_BYTES_YET: BytesByStage = { local: 0, peer: 0, proxy: 0, ipfs: 0, gateway: 0 }

export interface RetrievalInit {
  readonly root: CID
  readonly session: DagSession
  readonly ladder: Ladder
  /** Attempts to report before those of the ladder: stages that were not eligible, peers that were asked. */
  readonly notes: Attempt[]
  /** What peers say of the content. */
  readonly heads: HeadClaims
  readonly startedAt: Ms
  /** Called when a trusted peer knows it as private, before anybody hears of it. */
  readonly foundPrivate: () => Promise<void>
  /** What to say when nobody has it; undefined: nothing more than that. */
  readonly notFound: NotFoundOf
}

export class Retrieval {
  readonly session: DagSession
  readonly #init: RetrievalInit
  readonly #clock: Clock
  readonly #hash: Promise<Uint8Array | undefined>
  /** A hostile tree may unfold for hours: reading it ends with the retrieval. */
  readonly #stopHashing = new AbortController()

  constructor(components: { readonly clock: Clock }, init: RetrievalInit) {
    this.#clock = components.clock
    this.#init = init
    this.session = init.session
    this.#hash = this.#hashContent()
    this.#hash.catch(() => {}) // reported by whoever waits for the report
  }

  /** Fills the session. @throws with `attempts` in the error's data */
  async run(signal: AbortSignal): Promise<RetrievalReport> {
    const { session, ladder } = this.#init
    try {
      if (!session.isDone) await ladder.climb({ signal })
      await session.done
      const digest = await abortable(this.#hash, { signal })
      return { ...this.reportSoFar(), ...(digest === undefined ? {} : { sha256: digest }) }
    } catch (error) {
      const failure = this.#failureOf(error instanceof FoundPrivate ? await this.#keptAsPrivate(error) : error)
      this.#stopHashing.abort(failure)
      session.fail(failure)
      throw failure
    }
  }

  /** Who delivers at the moment. */
  get deliverer(): SourceId | undefined {
    return this.#init.ladder.winner
  }

  /** What the peer that delivers calls it: nobody has checked that. */
  get claimed(): Claimed {
    return this.#init.heads.of(this.reportSoFar().source.peer)
  }

  /** What is known at this moment; once {@link run} is done, all of it. */
  reportSoFar(): RetrievalReport {
    const { ladder, session, startedAt } = this.#init
    const attempts = this.#attempts()
    const bytes = { ...NO_BYTES_YET, local: session.localBytes }
    for (const attempt of attempts) bytes[attempt.stage] += attempt.bytes
    return {
      source: ladder.winner ?? mostBytes(attempts),
      bytes,
      attempts,
      ms: Math.round(this.#clock.monotonic() - startedAt),
      firstByteMs: ladder.firstByteAt === undefined ? 0 : Math.round(ladder.firstByteAt - startedAt)
    }
  }

  #attempts(): Attempt[] {
    return [...this.#init.notes, ...this.#init.ladder.attempts]
  }

  /** A disk that is full must not leave those who read waiting. */
  async #keptAsPrivate(found: FoundPrivate): Promise<unknown> {
    return await this.#init.foundPrivate().then(
      () => found,
      (trouble: unknown) => trouble
    )
  }

  #failureOf(error: unknown): KithError {
    if (!(error instanceof FoundPrivate)) return this.#withAttempts(toKithError(error))
    return new FoundPrivate(error.inquiry.answers, this.reportSoFar())
  }

  #withAttempts(error: KithError): KithError {
    const made = this.#attempts()
    if (error.code !== 'NOT_FOUND') {
      const { asked } = howFar(made)
      return new KithError(error.code, error.message, { ...error.data, attempts: made, asked }, { cause: error })
    }
    const { asked, unreachable, silent, words } = howFar(made)
    const told = this.#init.notFound(asked, unreachable, silent)
    const attempts = [...made, ...(told?.attempts ?? [])]
    const lastSeen = told?.lastSeen === undefined ? {} : { lastSeen: told.lastSeen }
    const data = { ...error.data, attempts, asked, unreachable, ...lastSeen }
    return new KithError('NOT_FOUND', `${withoutStop(told?.message ?? error.message, words)}${words}`, data, { cause: error })
  }

  /** The content's own hash, computed while the blocks come in; the reader is just one more who waits for them. */
  async #hashContent(): Promise<Uint8Array | undefined> {
    const { session } = this.#init
    if (session.want.kind !== 'all') return undefined
    const root = session.rootNode ?? (await rootOf(session))
    if (root.kind !== 'file' && root.kind !== 'raw') return undefined
    if (root.size > UNFOLDED_BYTES_MAX && (await isMostlyRepeats(session, root.size))) return undefined
    const hash = new Sha256()
    let pieces = 0
    for await (const bytes of readFile(async (cid, options) => await session.get(cid, options), root, { offset: 0 }, this.#stopHashing)) {
      pieces += 1
      if (pieces > UNFOLDED_PIECES_MAX && pieces > UNFOLDING_MAX * session.blockCount) return undefined
      hash.update(bytes)
    }
    return hash.digest()
  }
}

/** What goes on after it begins with a stop of its own. */
function withoutStop(message: string, words: string): string {
  return words === '' ? message : message.replace(/\.$/, '')
}

/** The root node as soon as it is verified. */
export async function rootOf(session: DagSession): Promise<NonNullable<DagSession['rootNode']>> {
  while (session.rootNode === undefined) {
    const change = session.changed()
    if (session.isDone) await session.done
    if (session.failure !== undefined) throw session.failure
    await change
  }
  return session.rootNode
}

/** Known as soon as the skeleton is, long before the leaves. */
async function isMostlyRepeats(session: DagSession, size: Bytes): Promise<boolean> {
  while (!session.hasSkeleton && session.failure === undefined) await session.changed()
  return size > UNFOLDING_MAX * session.blockCount * BLOCK_BYTES_MAX
}

function mostBytes(attempts: readonly Attempt[]): SourceId {
  let best: Attempt | undefined
  for (const attempt of attempts) {
    if (attempt.bytes > (best?.bytes ?? 0)) best = attempt
  }
  if (best === undefined) return { stage: 'local' }
  const { stage, peer, did, url } = best
  return { stage, ...(peer === undefined ? {} : { peer }), ...(did === undefined ? {} : { did }), ...(url === undefined ? {} : { url }) }
}
