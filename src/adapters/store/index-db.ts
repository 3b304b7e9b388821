/**
 * The index of one realm: which block lies where, the records, what is quarantined. One SQLite database in WAL
 * mode with `synchronous=FULL`: a crash loses nothing that was committed. Calls are synchronous; a commit costs
 * the event loop one fdatasync and some microseconds a row.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { KithError } from '../../errors.ts'
import { APPLICATION_ID, emptyIndexError, versionError } from './index-header.ts'
import { STORE_FORMAT_VERSION } from './segment-format.ts'
import { DiskFullError, isDiskFull } from './store-error.ts'

/** The database may owe its file this much: half of the reserve of a full disk. Pages of 4 KiB. */
const UNFOLDED_PAGES_MAX = 128
/** Page cache of one index: the tree of a million blocks (60 MB) stays in memory. KiB. */
const CACHE_KIB = 64 * 1024
/** A checkpoint every 16 MiB of log: amortises its two syncs, bounds the work of a reopen. Pages of 4 KiB. */
export const CHECKPOINT_PAGES_MAX = 4096

const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE blocks (
    hash BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, cipher INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE segments (
    number INTEGER PRIMARY KEY, length INTEGER NOT NULL, blocks INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE quarantine (
    hash BLOB PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE withheld (hash BLOB PRIMARY KEY, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE remembered (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE records (
    root BLOB PRIMARY KEY, sha256 BLOB, created_at INTEGER NOT NULL, type TEXT, last_access INTEGER NOT NULL, payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX records_sha256 ON records (sha256) WHERE sha256 IS NOT NULL;
  CREATE INDEX records_created ON records (created_at, root);
  CREATE INDEX records_type ON records (type, created_at, root) WHERE type IS NOT NULL;`
/** Made in older stores too when they are opened; a program that does not know it may ignore it. */
const ERASURES = 'CREATE TABLE IF NOT EXISTS erasures (segment INTEGER, at INTEGER, PRIMARY KEY (segment, at)) STRICT, WITHOUT ROWID;'

/** Where the payload of a block lies. */
export interface Place {
  readonly segment: number
  readonly offset: number
  readonly length: number
  readonly cipher: number
}

export interface SegmentRow {
  readonly number: number
  /** Bytes of the file that are known to be durable. */
  readonly length: number
  /** Blocks of it that the index names, and their payload. */
  readonly blocks: number
  readonly bytes: number
}

export interface IndexInit {
  readonly realm: string
  readonly mayCreate: boolean
  /** There was a log beside it before it was opened. */
  readonly hadLog?: boolean
  /** The log is folded in when it has so many pages; default {@link CHECKPOINT_PAGES_MAX}. */
  readonly checkpointPages?: number | undefined
}

export class IndexDb {
  readonly #db: DatabaseSync
  /** Of the database at the last checkpoint: what is beyond may be in the log alone. */
  #foldedPages = 0
  /** Undefined until it was looked at. */
  #hasQuarantine: boolean | undefined
  readonly #statements = new Map<string, StatementSync>()
  readonly #findBlock: StatementSync
  readonly #insertBlock: StatementSync

  /**
   * Opens or makes the index and locks it against other processes. An index that vanished beside its blocks must
   * not lead to their deletion: an empty one is made only if `mayCreate`.
   *
   * @throws KithError START_FAILED for another format version or realm; SQLite's errors as they are
   */
  constructor(path: string, init: IndexInit) {
    this.#db = new DatabaseSync(path)
    try {
      this.#db.exec(
        `PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA cache_size=-${CACHE_KIB}; PRAGMA wal_autocheckpoint=${init.checkpointPages ?? CHECKPOINT_PAGES_MAX}`
      )
      this.#db.exec('BEGIN IMMEDIATE; COMMIT') // takes the lock now, not at the first write
      if (init.mayCreate && this.#number('PRAGMA application_id') === 0) this.#create(init.realm)
      this.#check(path, init)
      this.#findBlock = this.#db.prepare('SELECT segment, offset, length, cipher FROM blocks WHERE hash = ?')
      this.#insertBlock = this.#db.prepare(
        'INSERT INTO blocks (hash, segment, offset, length, cipher) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
      )
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  /** Adds what older stores lack. To be called before the first change. */
  prepare(): void {
    this.#db.exec(ERASURES)
  }

  /** A statement, prepared once. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** Runs `work` in one durable transaction; what it throws undoes it. */
  transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK') // SQLite has already rolled back after some I/O errors
      throw error
    }
  }

  /** Moves the log into the database, so that it is written from its start again. False if there is no room for that. */
  checkpoint(): boolean {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)')
      this.#foldedPages = this.#number('PRAGMA page_count')
      return true
    } catch (error) {
      if (isDiskFull(error)) return false
      throw error
    }
  }

  /** Folds the log in before that would take more room than the reserve has. @throws the error of a full disk */
  keepUp(): void {
    if (this.#number('PRAGMA page_count') - this.#foldedPages < UNFOLDED_PAGES_MAX || this.checkpoint()) return
    throw new DiskFullError('the index cannot grow')
  }

  findBlock(hash: Uint8Array): Place | undefined {
    const row = this.#findBlock.get(hash)
    return row === undefined ? undefined : placeOf(row)
  }

  /** False if the block has a place already, which then stays. */
  insertBlock(hash: Uint8Array, place: Place): boolean {
    return this.#insertBlock.run(hash, place.segment, place.offset, place.length, place.cipher).changes !== 0
  }

  /** The place it had. */
  removeBlock(hash: Uint8Array): Place | undefined {
    const place = this.findBlock(hash)
    if (place !== undefined) this.statement('DELETE FROM blocks WHERE hash = ?').run(hash)
    return place
  }

  /** Up to `limit` hashes above `after`, ascending. */
  hashesAfter(after: Uint8Array, limit: number): Uint8Array[] {
    const rows = this.statement('SELECT hash FROM blocks WHERE hash > ? ORDER BY hash LIMIT ?').all(after, limit)
    return rows.map(row => row['hash']).filter(hash => hash instanceof Uint8Array)
  }

  /** Of every block, in no order. */
  *places(): Generator<Place> {
    for (const row of this.#db.prepare('SELECT segment, offset, length, cipher FROM blocks').iterate()) yield placeOf(row)
  }

  addQuarantine(hash: Uint8Array, place: Place, at: number): void {
    this.#hasQuarantine = true
    this.statement('INSERT OR REPLACE INTO quarantine (hash, segment, offset, length, at) VALUES (?, ?, ?, ?, ?)').run(
      hash,
      place.segment,
      place.offset,
      place.length,
      at
    )
  }

  /** For a block that was put again, or is not wanted any more. */
  removeQuarantine(hash: Uint8Array): void {
    if (this.#mayHaveQuarantine()) this.statement('DELETE FROM quarantine WHERE hash = ?').run(hash)
  }

  isQuarantined(hash: Uint8Array): boolean {
    return this.#mayHaveQuarantine() && this.statement('SELECT 1 FROM quarantine WHERE hash = ?').get(hash) !== undefined
  }

  /** Blocks set aside that are not here. Older programs left the rows of those that were put again. */
  countQuarantined(): number {
    return this.#number('SELECT count(*) FROM quarantine WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.hash = quarantine.hash)')
  }

  /** Up to `limit` hashes above `after`, ascending. */
  quarantinedAfter(after: Uint8Array, limit: number): Uint8Array[] {
    const rows = this.statement('SELECT hash FROM quarantine WHERE hash > ? ORDER BY hash LIMIT ?').all(after, limit)
    return rows.map(row => row['hash']).filter(hash => hash instanceof Uint8Array)
  }

  segments(): SegmentRow[] {
    return this.statement('SELECT number, length, blocks, bytes FROM segments ORDER BY number')
      .all()
      .map(row => ({
        number: Number(row['number']),
        length: Number(row['length']),
        blocks: Number(row['blocks']),
        bytes: Number(row['bytes'])
      }))
  }

  /** Adds to the counts of a segment; `length` 0 leaves its length as it is. */
  countSegment(number: number, delta: { readonly length: number; readonly blocks: number; readonly bytes: number }): void {
    this.statement(`INSERT INTO segments (number, length, blocks, bytes) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET length = max(length, excluded.length), blocks = blocks + excluded.blocks, bytes = bytes + excluded.bytes`).run(
      number,
      delta.length,
      delta.blocks,
      delta.bytes
    )
  }

  /** With what is left to erase in it. */
  removeSegment(number: number): void {
    this.statement('DELETE FROM segments WHERE number = ?').run(number)
    this.statement('DELETE FROM erasures WHERE segment = ?').run(number)
  }

  close(): void {
    this.#db.close()
  }

  #create(realm: string): void {
    this.#db.exec('BEGIN IMMEDIATE')
    this.#db.exec(SCHEMA)
    this.#db.prepare('INSERT INTO meta (key, value) VALUES (?, ?)').run('realm', realm)
    this.#db.exec(`PRAGMA application_id=${APPLICATION_ID}; PRAGMA user_version=${STORE_FORMAT_VERSION}; COMMIT`)
  }

  #check(path: string, init: IndexInit): void {
    const version = this.#number('PRAGMA user_version')
    const application = this.#number('PRAGMA application_id')
    if (application === 0) throw emptyIndexError(path, init.hadLog === true)
    if (application !== APPLICATION_ID)
      throw new KithError('START_FAILED', `${path} is not an index of Kith. Move it away, or choose another home directory.`)
    if (version !== STORE_FORMAT_VERSION) throw versionError(path, version)
    const owner = this.#db.prepare("SELECT value FROM meta WHERE key = 'realm'").get()?.['value']
    if (owner !== init.realm)
      throw new KithError(
        'START_FAILED',
        `the store ${path} belongs to realm "${String(owner)}", not to "${init.realm}": realms must never be mixed. Put the directory back where it was.`
      )
  }

  /** Almost always there is none, and every put would have to look. */
  #mayHaveQuarantine(): boolean {
    return (this.#hasQuarantine ??= this.#db.prepare('SELECT 1 FROM quarantine LIMIT 1').get() !== undefined)
  }

  #number(sql: string): number {
    return Number(Object.values(this.#db.prepare(sql).get() ?? {})[0])
  }
}

function placeOf(row: Readonly<Record<string, unknown>>): Place {
  return { segment: Number(row['segment']), offset: Number(row['offset']), length: Number(row['length']), cipher: Number(row['cipher']) }
}
