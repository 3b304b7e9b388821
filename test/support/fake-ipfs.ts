/** An IPFS of a few blocks, which keeps count of what it is asked for and what it gave. */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../src/model/content-id.ts'
import { SourceError, type BlockSession, type BlockSource } from '../../src/ports/block-source.ts'
import type { SkipReason } from '../../src/model/source.ts'
import type { MadeDag } from './dag-builder.ts'

export class FakeIpfs implements BlockSource {
  readonly stage = 'ipfs'
  readonly concurrency = 16
  readonly asked: CID[] = []
  readonly reports: string[] = []
  bytes = 0
  open = (): BlockSession => this.#session()
  opened = 0
  closed = 0
  reason: SkipReason | undefined
  /** Awaited before each block. */
  gate: (signal: AbortSignal | undefined) => Promise<void> = async () => {}
  readonly #blocks = new Map<string, Uint8Array>()

  add(dag: MadeDag): void {
    for (const { cid, bytes } of dag.blocks.values()) this.#blocks.set(blockKey(cid), bytes)
  }
  replace(cid: CID, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#blocks.delete(blockKey(cid))
    else this.#blocks.set(blockKey(cid), bytes)
  }
  unavailable(): SkipReason | undefined {
    return this.reason
  }
  report(outcome: 'corrupt'): void {
    this.reports.push(outcome)
  }

  #session(): BlockSession {
    this.opened++
    return {
      get: async (cid, { signal }) => {
        this.asked.push(cid)
        await this.gate(signal)
        signal?.throwIfAborted()
        const bytes = this.#blocks.get(blockKey(cid))
        if (bytes === undefined) throw new SourceError('not-found', 'nobody has it')
        this.bytes += bytes.byteLength
        return bytes
      },
      close: () => {
        this.closed++
      }
    }
  }
}
