/**
 * HOME/state/node.db: what this node made of its peers, as tables of JSON by key. SQLite in WAL mode with
 * `synchronous=FULL`: what was put survives a crash and a power failure; what was only noted is written together, seconds later.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KithError } from '../../errors.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StateStore, StateTable } from '../../ports/state-table.ts'

/** Noted facts wait this long for others, so that figures that change all the time cost one flush in a while. */
const NOTE_DELAY_MS: Ms = 5_000
const FORMAT_VERSION = 1
const SCHEMA = 'CREATE TABLE IF NOT EXISTS facts (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;'

export interface StateDbComponents {
  readonly clock: Clock
  /** Told when noted facts could not be written; they are tried again. */
  readonly onError?: (error: Error) => void
}

/** @throws KithError START_FAILED naming the file, for one that is damaged or of a newer Kith */
export async function openStateDb(components: StateDbComponents, home: string): Promise<StateStore> {
  const file = join(home, 'state', 'node.db')
  try {
    return new StateDb(components, openDatabase(file))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new KithError(
      'START_FAILED',
      `${file} cannot be read: ${why}. It holds whom you trust. Bring it back from a copy, or move it away to begin with nobody trusted.`,
      { file },
      { cause: error }
    )
  }
}

function openDatabase(file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  try {
    // One process has the home: without shared memory and without a write, a disk with no byte left can be started on.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
    if (version > FORMAT_VERSION) throw new Error(`it was written by a newer version of Kith (format ${version})`)
    const damage = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'] ?? 'ok')
    if (damage !== 'ok') throw new Error(`it is damaged (${damage})`)
    if (version === 0) db.exec(`${SCHEMA} PRAGMA user_version = ${FORMAT_VERSION};`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

class StateDb implements StateStore {
  readonly #db: DatabaseSync
  readonly #parts: StateDbComponents
  /** `undefined` stands for a fact that is to be deleted. */
  readonly #noted = new Map<string, { readonly kind: string; readonly key: string; readonly text: () => string }>()
  #cancelFlush: (() => void) | undefined

  constructor(components: StateDbComponents, db: DatabaseSync) {
    this.#parts = components
    this.#db = db
  }

  table<Value>(kind: string, read: (stored: unknown) => Value): StateTable<Value> {
    const facts = this.#load(kind, read)
    return {
      get: key => facts.get(key),
      *entries() {
        yield* [...facts].toSorted(([a], [b]) => (a < b ? -1 : 1))
      },
      get size() {
        return facts.size
      },
      put: async (key, value) => {
        this.#write(kind, key, JSON.stringify(value))
        facts.set(key, value)
      },
      remove: async key => {
        this.#delete(kind, key)
        return facts.delete(key)
      },
      note: (key, value) => {
        facts.set(key, value)
        this.#note(kind, key, () => JSON.stringify(facts.get(key)))
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelFlush?.()
    try {
      this.#flush()
    } finally {
      this.#db.close()
    }
  }

  #load<Value>(kind: string, read: (stored: unknown) => Value): Map<string, Value> {
    const rows = this.#db.prepare('SELECT key, value FROM facts WHERE kind = ?').all(kind)
    return new Map(rows.map(({ key, value }) => [String(key), read(JSON.parse(String(value)))]))
  }

  #write(kind: string, key: string, text: string): void {
    this.#noted.delete(nameOf(kind, key))
    written(() => this.#db.prepare('INSERT OR REPLACE INTO facts (kind, key, value) VALUES (?, ?, ?)').run(kind, key, text))
  }

  #delete(kind: string, key: string): void {
    this.#noted.delete(nameOf(kind, key))
    written(() => this.#db.prepare('DELETE FROM facts WHERE kind = ? AND key = ?').run(kind, key))
  }

  #note(kind: string, key: string, text: () => string): void {
    this.#noted.set(nameOf(kind, key), { kind, key, text })
    this.#cancelFlush ??= this.#parts.clock.after(NOTE_DELAY_MS, () => {
      this.#cancelFlush = undefined
      try {
        this.#flush()
      } catch (error) {
        this.#parts.onError?.(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  #flush(): void {
    if (this.#noted.size === 0) return
    const insert = this.#db.prepare('INSERT OR REPLACE INTO facts (kind, key, value) VALUES (?, ?, ?)')
    this.#db.exec('BEGIN')
    try {
      for (const { kind, key, text } of this.#noted.values()) insert.run(kind, key, text())
      this.#db.exec('COMMIT')
      this.#noted.clear()
    } catch (error) {
      this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

function nameOf(kind: string, key: string): string {
  return `${kind}\u0000${key}`
}

/** @throws KithError QUOTA_EXCEEDED: most often the disk is full */
function written(write: () => unknown): void {
  try {
    write()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new KithError(
      'QUOTA_EXCEEDED',
      `state/node.db could not be written: ${why}. Make room on the disk and try again.`,
      {},
      { cause: error }
    )
  }
}
