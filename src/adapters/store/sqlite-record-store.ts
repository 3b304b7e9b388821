/**
 * The content records of one realm, in the same database as the index of its blocks: a record and the blocks put
 * before it become durable together. A crash loses access times of the last seconds, nothing else.
 */
import type { CID } from 'multiformats/cid'
import { equals } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { ContentRecord, RecordPage, RecordStore } from '../../ports/record-store.ts'
import type { IndexDb } from './index-db.ts'
import { RecordCache } from './record-cache.ts'
import { damagedRecordError, decodeRecord, encodeRecord } from './record-codec.ts'
import { readError } from './store-error.ts'
import { keyOf, type StoreWriter } from './store-writer.ts'

/** Access times are written this long after the first one, all together. Milliseconds. */
const TOUCH_DELAY_MS = 10_000
/** Most records of one page. */
const PAGE_MAX = 1000

export interface SqliteRecordStoreComponents {
  readonly clock: Clock
  readonly index: IndexDb
  readonly writer: StoreWriter
}

interface Touch {
  readonly root: Uint8Array
  readonly at: Ms
}
type Row = Record<string, unknown>

export class SqliteRecordStore implements RecordStore {
  readonly #parts: SqliteRecordStoreComponents
  readonly #realm: string
  readonly #touches = new Map<string, Touch>()
  readonly #cache = new RecordCache()
  #cancelTouch: (() => void) | undefined

  constructor(components: SqliteRecordStoreComponents, init: { readonly realm: string }) {
    this.#parts = components
    this.#realm = init.realm
  }

  get(root: CID): ContentRecord | undefined {
    const { bytes } = root.multihash
    const key = keyOf(bytes)
    const record = this.#cache.get(key, () => this.#one('SELECT root, last_access, payload FROM records WHERE root = ?', bytes))
    const at = this.#touches.get(key)?.at ?? 0
    return record === undefined || at <= record.lastAccess ? record : { ...record, lastAccess: at }
  }

  findByHash(sha256: Uint8Array): ContentRecord | undefined {
    return this.#one('SELECT root, last_access, payload FROM records WHERE sha256 = ? ORDER BY created_at, root LIMIT 1', sha256)
  }

  async put(record: ContentRecord): Promise<void> {
    const root = record.root.multihash.bytes
    const payload = encodeRecord(record)
    await this.#parts.writer.commit(index => {
      this.#cache.drop(keyOf(root))
      index
        .statement('INSERT OR REPLACE INTO records (root, sha256, created_at, type, last_access, payload) VALUES (?, ?, ?, ?, ?, ?)')
        .run(root, record.sha256 ?? null, Math.trunc(record.createdAt), record.type ?? null, Math.trunc(record.lastAccess), payload)
    })
  }

  async remove(root: CID): Promise<boolean> {
    let isRemoved = false
    await this.#parts.writer.commitFreeing(index => {
      this.#cache.drop(keyOf(root.multihash.bytes))
      isRemoved = index.statement('DELETE FROM records WHERE root = ?').run(root.multihash.bytes).changes !== 0
    })
    return isRemoved
  }

  touch(root: CID, at: Ms): void {
    const bytes = root.multihash.bytes
    this.#touches.set(keyOf(bytes), { root: bytes, at: Math.max(at, this.#touches.get(keyOf(bytes))?.at ?? 0) })
    this.#cancelTouch ??= this.#parts.clock.after(TOUCH_DELAY_MS, () => {
      this.flushTouches().catch(() => {}) // logged by the writer; an access time may be lost
    })
  }

  list(options: { readonly cursor?: string; readonly limit: number; readonly type?: string }): RecordPage {
    const limit = Math.max(1, Math.min(options.limit, PAGE_MAX))
    const after = options.cursor === undefined ? { createdAt: -1, root: new Uint8Array(0) } : decodeCursor(options.cursor)
    const ofType = options.type === undefined ? '' : 'type = ? AND'
    const type = options.type === undefined ? [] : [options.type]
    const rows = this.#reading(() =>
      this.#parts.index
        .statement(
          `SELECT root, last_access, payload FROM records WHERE ${ofType} (created_at, root) > (?, ?) ORDER BY created_at, root LIMIT ?`
        )
        .all(...type, after.createdAt, after.root, limit + 1)
    )
    const items = rows.slice(0, limit).map(row => this.#fromRow(row))
    const last = items.at(-1)
    return rows.length > limit && last !== undefined ? { items, cursor: encodeCursor(last) } : { items }
  }

  count(): number {
    return this.#reading(() => Number(this.#parts.index.statement('SELECT count(*) AS n FROM records').get()?.['n']))
  }

  /** Writes the access times noted so far. */
  async flushTouches(): Promise<void> {
    this.stop()
    if (this.#touches.size === 0) return
    const touches = [...this.#touches]
    await this.#parts.writer.commit(index => {
      const update = index.statement('UPDATE records SET last_access = ? WHERE root = ? AND last_access < ?')
      for (const [key, { root, at }] of touches) {
        this.#cache.drop(key)
        update.run(Math.trunc(at), root, Math.trunc(at))
      }
    })
    for (const [key, touch] of touches) {
      if (this.#touches.get(key) === touch) this.#touches.delete(key)
    }
  }

  stop(): void {
    this.#cancelTouch?.()
    this.#cancelTouch = undefined
  }

  #one(sql: string, key: Uint8Array): ContentRecord | undefined {
    const row = this.#reading(() => this.#parts.index.statement(sql).get(key))
    return row === undefined ? undefined : this.#fromRow(row)
  }

  #fromRow(row: Row): ContentRecord {
    const { root, payload, last_access: lastAccess } = row
    if (!(root instanceof Uint8Array) || !(payload instanceof Uint8Array)) throw damagedRecordError()
    const record = decodeRecord(payload, Math.max(Number(lastAccess), this.#touches.get(keyOf(root))?.at ?? 0))
    if (!equals(record.root.multihash.bytes, root)) throw damagedRecordError()
    return record
  }

  #reading<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw readError(error, this.#realm)
    }
  }
}

function encodeCursor(record: ContentRecord): string {
  return Buffer.from(JSON.stringify([record.createdAt, Buffer.from(record.root.multihash.bytes).toString('hex')])).toString('base64url')
}

function decodeCursor(cursor: string): { createdAt: number; root: Uint8Array } {
  const match = /^\[(\d+),"((?:[0-9a-f]{2})+)"\]$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (match === null)
    throw new KithError('INVALID_PARAMS', 'the cursor is not one that a listing returned. Leave it out to begin at the start.')
  return { createdAt: Number(match[1]), root: Buffer.from(match[2] ?? '', 'hex') }
}
