/** Sends blocks in order while the next ones are being read. */
import type { CID } from 'multiformats/cid'
import type { VerifiedBlock } from '../model/block.ts'
import { KIB, MIB, type Bytes } from '../model/units.ts'
import type { ServedContent } from '../ports/serving.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { indexedParts } from './frames.ts'

/** Read ahead of the wire, per answer: two standard leaves. With 64 answers at once 128 MiB. */
const AHEAD_BYTES_MAX: Bytes = 2 * MIB
/** Reads in flight, for small blocks. */
const AHEAD_BLOCKS_MAX = 64
/** What a block of unknown size counts as. */
const UNKNOWN_BLOCK_BYTES: Bytes = 256 * KIB

export interface WantedBlock {
  readonly index: number
  readonly cid: CID
  readonly size: Bytes | undefined
}

interface Ahead {
  readonly index: number
  readonly weight: Bytes
  readonly block: Promise<VerifiedBlock | undefined>
}

/** Leaves are skipped when missing; without one node nothing can be said about the next. */
type WhenMissing = 'skip' | 'stop'

/** @returns true when no wanted block was missing. Stops reading as soon as the writer's signal fires */
export async function sendBlocks(
  out: AnswerWriter,
  view: ServedContent,
  type: number,
  wanted: Iterable<WantedBlock>,
  whenMissing: WhenMissing
): Promise<boolean> {
  const ahead = new ReadAhead(view, wanted, out)
  let complete = true
  for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
    const block = await next.block
    out.signal.throwIfAborted()
    if (block !== undefined) out.add(indexedParts(type, next.index, block.bytes))
    else if (whenMissing === 'stop') return false
    else complete = false
    if (out.isFull) await out.flush()
  }
  return complete
}

class ReadAhead {
  readonly #view: ServedContent
  readonly #wanted: Iterator<WantedBlock>
  readonly #out: AnswerWriter
  readonly #queue: Ahead[] = []
  #weight: Bytes = 0

  constructor(view: ServedContent, wanted: Iterable<WantedBlock>, out: AnswerWriter) {
    this.#view = view
    this.#wanted = wanted[Symbol.iterator]()
    this.#out = out
  }

  /** The oldest read; starts as many new ones as there is room for. */
  shift(): Ahead | undefined {
    this.#fill()
    const next = this.#queue.shift()
    if (next !== undefined) this.#weight -= next.weight
    return next
  }

  #fill(): void {
    const { signal, sentBytes } = this.#out
    const aheadMax = this.#view.ahead?.(sentBytes) ?? AHEAD_BYTES_MAX
    while (this.#queue.length === 0 || (this.#queue.length < AHEAD_BLOCKS_MAX && this.#weight < aheadMax)) {
      const { done, value } = this.#wanted.next()
      if (done === true) return
      const block = this.#view.get(value.cid, { signal })
      block.catch(() => {}) // reported when its turn comes
      const weight = value.size ?? UNKNOWN_BLOCK_BYTES
      this.#queue.push({ index: value.index, weight, block })
      this.#weight += weight
    }
  }
}
