/** Peers with lines: each sends what it is asked for after its latency and at its rate, as the test's clock goes. */
import { SkeletonWalk } from '../../../src/dag/skeleton.ts'
import { abortable } from '../../../src/lib/deadline.ts'
import { blockKey } from '../../../src/model/content-id.ts'
import type { AnswerEnd, DagRequest, DagSink, ExchangeClient } from '../../../src/ports/exchange.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { AbortOptions } from '../../../src/ports/options.ts'
import type { MadeDag } from '../../support/dag-builder.ts'
import { FakePeers, type FakePeer } from './fake-peers.ts'

export interface Line {
  latency: number
  /** Bytes a second. */
  rate: number
  /** Leaves whose last byte was sent, in order. */
  readonly sent: number[]
  requests: number
  /** Most requests at once. */
  atOnce: number
  running: number
  /** Told before each leaf is sent. */
  beforeLeaf: (index: number) => void
  /** Leaves that come with other bytes. */
  wrong: (index: number) => boolean
  lacks: (index: number) => boolean
  /** Before each node but the root. */
  nodeMs: number
  /** Instead of its own rate: this node's line. */
  shared: { send(bytes: number, options: AbortOptions): Promise<void> } | undefined
}

export class PacedPeers {
  readonly peers = new FakePeers()
  readonly #clock: Clock
  readonly #dag: MadeDag
  readonly #lines = new Map<string, Line>()
  /** Most requests under way at the same time, over all peers. */
  atOnceMax = 0

  constructor(clock: Clock, dag: MadeDag) {
    this.#clock = clock
    this.#dag = dag
  }

  add(name: string, line: Partial<Line> = {}, settings: Partial<Omit<FakePeer, 'name'>> = {}): Line {
    this.peers.add(name, { claim: 'yes', blocks: this.#dag.blocks, ...settings })
    const made: Line = {
      latency: 10,
      rate: 10 * 1_048_576,
      sent: [],
      requests: 0,
      atOnce: 0,
      running: 0,
      beforeLeaf: () => {},
      wrong: () => false,
      lacks: () => false,
      nodeMs: 0,
      shared: undefined,
      ...line
    }
    this.#lines.set(name, made)
    return made
  }

  /** Leaves sent by anybody. */
  get sent(): number[] {
    return [...this.#lines.values()].flatMap(({ sent }) => sent)
  }

  get exchange(): ExchangeClient {
    return {
      ...this.peers.exchange,
      dag: async (peer, request, sink, options) => {
        const line = this.#lines.get(peer)
        if (line === undefined) return 'not-found'
        options.onPlace?.()
        this.peers.asked.push(`dag ${peer}`)
        line.requests += 1
        line.running += 1
        line.atOnce = Math.max(line.atOnce, line.running)
        this.atOnceMax = Math.max(
          this.atOnceMax,
          [...this.#lines.values()].reduce((sum, { running }) => sum + running, 0)
        )
        try {
          return await this.#send(line, request, sink, options)
        } finally {
          line.running -= 1
        }
      }
    }
  }

  async #send(line: Line, { cid, skipNodes, leaves }: DagRequest, sink: DagSink, options: AbortOptions): Promise<AnswerEnd> {
    await abortableAfter(this.#clock, 2 * line.latency, options)
    if (cid === null) return 'not-found'
    const walk = new SkeletonWalk(cid)
    for (let next = walk.next, index = 0; next !== undefined; next = walk.next, index++) {
      const block = this.#dag.blocks.get(blockKey(next))
      if (block === undefined) return 'not-found'
      if (index >= skipNodes) {
        if (index > 0) await abortableAfter(this.#clock, line.nodeMs, options)
        await sink.node(index, block.bytes)
      }
      walk.accept(block)
    }
    let isWhole = true
    for (const [index, leaf] of walk.leaves.entries()) {
      if (leaves !== 'all' && !leaves.some(([start, count]) => index >= start && index < start + count)) continue
      const block = this.#dag.blocks.get(blockKey(leaf.cid))
      if (block === undefined || line.lacks(index)) {
        isWhole = false
        continue
      }
      line.beforeLeaf(index)
      if (line.shared === undefined) await abortableAfter(this.#clock, (block.bytes.byteLength / line.rate) * 1000, options)
      else await line.shared.send(block.bytes.byteLength, options)
      line.sent.push(index)
      await sink.leaf(index, line.wrong(index) ? block.bytes.map(byte => byte ^ 1) : block.bytes)
    }
    return isWhole ? 'ok' : 'partial'
  }
}

/** Resolves when the time has passed on the clock. */
export async function abortableAfter(clock: Clock, ms: number, { signal }: AbortOptions): Promise<void> {
  let stop = (): void => {}
  const passed = new Promise<void>(resolve => {
    stop = clock.after(ms, resolve)
  })
  try {
    await abortable(passed, { signal })
  } finally {
    stop()
  }
}
