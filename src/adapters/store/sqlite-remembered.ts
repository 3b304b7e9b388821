/** Digests of non-public content that is gone, in the realm's index. A crash loses none that `add` returned for. */
import type { Remembered } from '../../ports/record-store.ts'
import type { IndexDb } from './index-db.ts'
import { readError } from './store-error.ts'
import type { StoreWriter } from './store-writer.ts'

/** Digests written in one commit: bounds how long it holds the event loop (about 10 ms). */
const ADD_MAX = 2000

export interface SqliteRememberedComponents {
  readonly index: IndexDb
  readonly writer: StoreWriter
}

export class SqliteRemembered implements Remembered {
  readonly #parts: SqliteRememberedComponents
  readonly #realm: string

  constructor(components: SqliteRememberedComponents, init: { readonly realm: string }) {
    this.#parts = components
    this.#realm = init.realm
  }

  async add(digests: readonly Uint8Array[]): Promise<void> {
    for (let start = 0; start < digests.length; start += ADD_MAX) {
      await this.#parts.writer.commitFreeing(index => {
        const insert = index.statement('INSERT INTO remembered (digest) VALUES (?) ON CONFLICT DO NOTHING')
        for (const digest of digests.slice(start, start + ADD_MAX)) insert.run(digest)
      })
    }
  }

  has(digest: Uint8Array): boolean {
    try {
      return this.#parts.index.statement('SELECT 1 FROM remembered WHERE digest = ?').get(digest) !== undefined
    } catch (error) {
      throw readError(error, this.#realm)
    }
  }
}
