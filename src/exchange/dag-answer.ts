/** The rules for the frames of a `dag` answer: HEAD, nodes in order, leaves in order, END. Hashes are the sink's part. */
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import { blockKey } from '../model/content-id.ts'
import { DAG_LEAVES_MAX, DAG_NODES_MAX } from '../dag/skeleton.ts'
import type { AnswerEnd, DagRequest, DagSink, LeafRange } from '../ports/exchange.ts'
import { decodeEnd, decodeHead } from './codec.ts'
import { ProtocolOffence, readIndexed, type Frame } from './frames.ts'
import { FRAME } from './protocol.ts'

export class DagAnswer {
  readonly #request: DagRequest
  readonly #sink: DagSink
  readonly #ranges: readonly LeafRange[]
  #hasHead = false
  #nextNode: number
  #nextLeaf = 0
  #leafSeen = false
  #range = 0

  constructor(request: DagRequest, sink: DagSink) {
    this.#request = request
    this.#sink = sink
    this.#nextNode = request.skipNodes
    this.#ranges = request.leaves === 'all' ? [[0, DAG_LEAVES_MAX]] : request.leaves
  }

  /** @returns how the answer ended, with its reason; undefined while it goes on. @throws ProtocolOffence · what the sink throws */
  take(frame: Frame): { status: AnswerEnd; reason?: string } | Promise<void> | void {
    if (frame.type === FRAME.END) return this.#end(frame)
    if (frame.type === FRAME.HEAD) return this.#head(frame)
    if (!this.#hasHead) throw new ProtocolOffence('unexpected-frame', 'the answer does not begin with its head')
    const { index, bytes } = readIndexed(frame.payload)
    if (bytes.byteLength > BLOCK_BYTES_MAX) throw new ProtocolOffence('oversized-frame', `a block of ${bytes.byteLength} bytes`)
    if (frame.type === FRAME.NODE) return this.#node(index, bytes)
    if (frame.type === FRAME.LEAF) return this.#leaf(index, bytes)
    throw new ProtocolOffence('unexpected-frame', `a frame of type ${frame.type} inside a dag answer`)
  }

  #head(frame: Frame): Promise<void> | void {
    if (this.#hasHead) throw new ProtocolOffence('unexpected-frame', 'a second head')
    const head = decodeHead(frame.payload)
    const { cid } = this.#request
    if (cid !== null && (cid.code !== head.cid.code || blockKey(cid) !== blockKey(head.cid)))
      throw new ProtocolOffence('malformed-frame', 'the head names another root than was asked for')
    this.#hasHead = true
    return this.#sink.head(head)
  }

  #node(index: number, bytes: Uint8Array): Promise<void> | void {
    if (this.#leafSeen || index !== this.#nextNode || index >= DAG_NODES_MAX)
      throw new ProtocolOffence('unexpected-frame', `node ${index} is not the next, ${this.#nextNode} is`)
    this.#nextNode++
    return this.#sink.node(index, bytes)
  }

  #leaf(index: number, bytes: Uint8Array): Promise<void> | void {
    if (index < this.#nextLeaf || !this.#wasAsked(index))
      throw new ProtocolOffence('unexpected-frame', `leaf ${index} was not asked for, or comes out of order`)
    this.#leafSeen = true
    this.#nextLeaf = index + 1
    return this.#sink.leaf(index, bytes)
  }

  /** Leaves ascend, so the ranges are walked once. */
  #wasAsked(index: number): boolean {
    for (let range = this.#ranges[this.#range]; range !== undefined; range = this.#ranges[++this.#range]) {
      const [start, count] = range
      if (index < start) return false
      if (index < start + count) return true
    }
    return false
  }

  #end(frame: Frame): { status: AnswerEnd; reason?: string } {
    const end = decodeEnd(frame.payload)
    const isContent = end.status === 'ok' || end.status === 'partial'
    if (isContent !== this.#hasHead)
      throw new ProtocolOffence('unexpected-frame', `an answer ${isContent ? 'without' : 'with'} a head ends as ${end.status}`)
    return end
  }
}
