/**
 * A whole DAG in one answer (a CAR): its blocks are looked up in the session one by one, verified there, and taken if
 * they are needed. What the answer leaves out is for the caller to ask for.
 */
import type { CID } from 'multiformats/cid'
import { isNodeCid } from '../dag/node.ts'
import { IDENTITY_CODE } from '../model/content-id.ts'
import { MIB, type Bytes } from '../model/units.ts'
import { SourceError, type BlockSession } from '../ports/block-source.ts'
import { missingShare } from './bytes-left.ts'
import type { Run } from './rung.ts'
import type { DagSession } from './session.ts'
import type { Accept } from './take.ts'

/** More than this share must be missing, else single blocks are asked for: an answer cannot begin in the middle. */
const MISSING_SHARE_MIN = 0.5
/** Bytes that one answer may hold beyond what is needed, not counting what was here before it: copies of a few blocks. */
const SPARE_BYTES_MAX: Bytes = 8 * MIB
/** The same in blocks: small ones cost more than their bytes. */
const SPARE_BLOCKS_MAX = 4096

/** True when the one answer costs less than asking for what is missing. */
export function isForWhole(session: DagSession): boolean {
  return session.want.kind === 'all' && isNodeCid(session.root) && missingShare(session) > MISSING_SHARE_MIN
}

/**
 * Resolves at the end of the answer, complete or not; also when it broke off after it had brought something, because
 * single blocks may still come.
 *
 * @throws SourceError: `corrupt` for wrong or foreign blocks, `fault` for endless ones · what the source throws
 */
export async function fillFromWhole(opened: BlockSession, session: DagSession, run: Run, accepted: Accept): Promise<void> {
  const before = session.progress
  const answer = new WholeAnswer(session, accepted)
  const stop = new AbortController()
  // One turn later, so that an answer that is over ends by itself: then its connection can be used again.
  const over = (): unknown => setImmediate(() => stop.abort())
  session.done.then(over, over)
  const options = { ...run, signal: AbortSignal.any([run.signal, stop.signal]) }
  try {
    await opened.dag?.(
      session.root,
      async (cid, bytes) => {
        options.signal.throwIfAborted()
        await answer.take(cid, bytes)
      },
      options
    )
  } catch (error) {
    if (answer.isRefused || session.progress === before || !isBrokenOff(error)) throw error
  }
}

class WholeAnswer {
  /** Something in it was not accepted. */
  isRefused = false
  readonly #session: DagSession
  readonly #accepted: Accept
  #spareBytes: Bytes
  #spareBlocks: number

  constructor(session: DagSession, accepted: Accept) {
    this.#session = session
    this.#accepted = accepted
    this.#spareBytes = SPARE_BYTES_MAX + session.localBytes + session.receivedBytes
    this.#spareBlocks = SPARE_BLOCKS_MAX + session.blockCount
  }

  async take(cid: CID, bytes: Uint8Array): Promise<void> {
    try {
      const { needed, isNamed } = this.#session.judge(cid)
      if (!isNamed && cid.multihash.code !== IDENTITY_CODE) await this.#accepted(undefined, bytes)
      if (needed.length === 0) this.#pass(bytes)
      for (const address of needed) await this.#accepted(address, bytes)
    } catch (error) {
      this.isRefused = true
      throw error
    }
  }

  /** A copy, or what was here already. */
  #pass(bytes: Uint8Array): void {
    this.#spareBytes -= bytes.byteLength
    this.#spareBlocks -= 1
    if (this.#spareBytes < 0 || this.#spareBlocks < 0) throw new SourceError('fault', 'it keeps sending blocks that are here already')
  }
}

function isBrokenOff(error: unknown): boolean {
  return error instanceof SourceError && (error.outcome === 'fault' || error.outcome === 'timeout')
}
