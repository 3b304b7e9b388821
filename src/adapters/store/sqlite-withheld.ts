/**
 * Blocks of a realm that must not be served, in its index. Held in memory as well, because every served block is
 * looked up here. A change goes into the transaction of the next commit, so it is durable no later than the block
 * it is about; a crash before that commit loses both.
 */
import type { Withheld } from '../../ports/record-store.ts'
import type { IndexDb } from './index-db.ts'
import { keyOf, type StoreWriter } from './store-writer.ts'

type Reason = 'unborn' | 'removed'

export class SqliteWithheld implements Withheld {
  readonly #writer: StoreWriter
  readonly #held = new Map<string, Reason>()

  constructor(components: { readonly index: IndexDb; readonly writer: StoreWriter }) {
    this.#writer = components.writer
    for (const row of components.index.statement('SELECT hash, reason FROM withheld').all()) {
      if (row['hash'] instanceof Uint8Array) this.#held.set(keyOf(row['hash']), row['reason'] === 'unborn' ? 'unborn' : 'removed')
    }
  }

  /** What puts that never ended have left: nothing counts on it. */
  unborn(): Uint8Array[] {
    return [...this.#held].filter(([, reason]) => reason === 'unborn').map(([key]) => Buffer.from(key, 'latin1'))
  }

  add(multihash: Uint8Array, reason: Reason): void {
    this.#held.set(keyOf(multihash), reason)
    this.#writer.withNext(index => {
      index.statement('INSERT OR REPLACE INTO withheld (hash, reason) VALUES (?, ?)').run(multihash, reason)
    })
  }

  release(multihash: Uint8Array): void {
    if (!this.#held.delete(keyOf(multihash))) return
    this.#writer.withNext(index => {
      index.statement('DELETE FROM withheld WHERE hash = ?').run(multihash)
    })
  }

  has(multihash: Uint8Array): boolean {
    return this.#held.size > 0 && this.#held.has(keyOf(multihash))
  }
}
