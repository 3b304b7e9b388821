/**
 * Records as they were last read, absent ones included: a get looks for its record several times, and reading one is a
 * third of what a small get costs. Holds nothing that is not in the database; whoever changes a record drops it here in
 * the same transaction.
 */
import type { ContentRecord } from '../../ports/record-store.ts'

/** Records held. One is a few hundred bytes, with long names and many tokens some thousand. */
const RECORDS_MAX = 4096

export class RecordCache {
  readonly #records = new Map<string, ContentRecord | null>()

  /** @param key of the root's multihash */
  get(key: string, read: () => ContentRecord | undefined): ContentRecord | undefined {
    const known = this.#records.get(key)
    if (known !== undefined) return known ?? undefined
    const found = read()
    if (this.#records.size >= RECORDS_MAX) this.#dropOldest()
    this.#records.set(key, found ?? null)
    return found
  }

  drop(key: string): void {
    this.#records.delete(key)
  }

  #dropOldest(): void {
    const [oldest] = this.#records.keys()
    if (oldest !== undefined) this.#records.delete(oldest)
  }
}
