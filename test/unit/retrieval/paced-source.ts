/** IPFS or a gateway with a line, as the test's clock goes; and lines that several share. */
import { abortable } from '../../../src/lib/deadline.ts'
import { blockKey } from '../../../src/model/content-id.ts'
import type { Bytes, Rate } from '../../../src/model/units.ts'
import { SourceError, type BlockSession, type BlockSource } from '../../../src/ports/block-source.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { AbortOptions } from '../../../src/ports/options.ts'
import { abortableAfter } from './paced-peers.ts'
import type { MadeDag } from '../../support/dag-builder.ts'

/** What is sent over it shares its rate evenly. */
export class SharedLine {
  readonly rate: Rate
  readonly #clock: Clock
  #turn: Promise<void> = Promise.resolve()

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock
    this.rate = rate
  }

  async send(bytes: Bytes, options: AbortOptions): Promise<void> {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      const turn = this.#turn.then(async () => await abortableAfter(this.#clock, (Math.min(left, PIECE_BYTES) / this.rate) * 1000, options))
      this.#turn = turn.catch(() => {})
      await turn
    }
  }
}

const PIECE_BYTES: Bytes = 32_768

export class PacedSource implements BlockSource {
  readonly stage: 'ipfs' | 'gateway'
  readonly url?: string
  readonly concurrency = 8
  /** Blocks whose last byte was sent. */
  readonly sent: string[] = []
  /** Questions, for blocks and for the whole. */
  asked = 0
  isSilent = false
  /** Gives the whole in one answer as well. */
  hasWhole = false
  rate: Rate
  readonly #clock: Clock
  readonly #dag: MadeDag
  readonly #line: SharedLine | undefined

  constructor(clock: Clock, dag: MadeDag, stage: 'ipfs' | 'gateway', { rate = 10 * 1_048_576, line, url }: PacedSourceInit = {}) {
    this.#clock = clock
    this.#dag = dag
    this.stage = stage
    this.rate = rate
    this.#line = line
    if (url !== undefined) this.url = url
  }

  unavailable(): undefined {
    return undefined
  }

  open(): BlockSession {
    return {
      close: () => {},
      get: async (cid, options) => {
        this.asked += 1
        return await this.#send(blockKey(cid), options)
      },
      ...(this.hasWhole
        ? {
            dag: async (_root, take, options) => {
              this.asked += 1
              for (const [key, block] of depthFirst(this.#dag)) await take(block.cid, await this.#send(key, options))
            }
          }
        : {})
    }
  }

  async #send(key: string, options: AbortOptions): Promise<Uint8Array> {
    if (this.isSilent) return await abortable(new Promise<never>(() => {}), options)
    const block = this.#dag.blocks.get(key)
    if (block === undefined) throw new SourceError('not-found', 'it does not have it')
    await abortableAfter(this.#clock, 20, options)
    const bytes = block.bytes.byteLength
    if (this.#line === undefined) await abortableAfter(this.#clock, (bytes / this.rate) * 1000, options)
    else await this.#line.send(bytes, options)
    this.sent.push(key)
    return block.bytes
  }
}

export interface PacedSourceInit {
  readonly rate?: Rate
  /** It is this node's own. */
  readonly line?: SharedLine
  readonly url?: string
}

/** Of a file of one node and its leaves: the importer makes the root last. */
function depthFirst({ root, blocks }: MadeDag): [string, { readonly cid: MadeDag['root']; readonly bytes: Uint8Array }][] {
  const all = [...blocks]
  const isRoot = ([key]: readonly [string, unknown]): boolean => key === blockKey(root)
  return [...all.filter(isRoot), ...all.filter(each => !isRoot(each))]
}
