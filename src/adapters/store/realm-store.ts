/**
 * One realm on disk: `segments/` with the blocks, `index/index.db` with everything else. Builds the parts of a
 * store and takes them down. What `blocks.flush` or `records.put` returned for survives power loss.
 */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { KithError } from '../../errors.ts'
import { RAW_CODEC } from '../../model/content-id.ts'
import type { Bytes } from '../../model/units.ts'
import type { BlockStore } from '../../ports/block-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Damage, RealmStore, RecordStore, Remembered, Withheld } from '../../ports/record-store.ts'
import type { Change } from './apply-changes.ts'
import { Compactor } from './compactor.ts'
import { DiskReserve } from './disk-reserve.ts'
import { DiskSpace } from './disk-space.ts'
import { fileSizes } from './file-sizes.ts'
import { changedIndexError, checkLog, checkOpenIndex, hasLog } from './index-check.ts'
import { IndexDb, type IndexInit } from './index-db.ts'
import { checkVersion } from './index-header.ts'
import { breakSeal, checkSeal, seal } from './index-seal.ts'
import { LostSegments } from './lost-segments.ts'
import { SegmentBlockStore } from './segment-block-store.ts'
import { listSegments, syncDirectory } from './segment-directory.ts'
import { SegmentFiles, type OpenFile } from './segment-files.ts'
import { SqliteRecordStore } from './sqlite-record-store.ts'
import { SqliteRemembered } from './sqlite-remembered.ts'
import { SqliteWithheld } from './sqlite-withheld.ts'
import { openError } from './store-error.ts'
import { StoreWriter } from './store-writer.ts'

/** Named in one line of the log. Files. */
const FILES_LOGGED_MAX = 10

export interface RealmStoreComponents {
  readonly clock: Clock
  readonly log: Log
  /** How segment files are opened; replaced by tests to force faults of the disk. */
  readonly openFile?: OpenFile | undefined
}

export interface RealmStoreInit {
  /** The realm's own directory, `HOME/store/REALM`; made if missing. */
  readonly directory: string
  readonly realm: string
  /** Most payload bytes; a `put` beyond throws QUOTA_EXCEEDED. 0 or absent: unlimited. */
  readonly maxBytes?: Bytes | undefined
  /** Share of the whole disk, 0 to 1, that blocks leave free; a `put` beyond throws QUOTA_EXCEEDED. Default 0. */
  readonly reserveShare?: number | undefined
  /** Size at which a segment file is closed; default 256 MiB, and less on a small disk. */
  readonly segmentBytes?: Bytes | undefined
}

/**
 * Opens a realm, or makes an empty one. Does not look at single blocks: the time does not grow with their number.
 *
 * @throws KithError START_FAILED: open elsewhere, of another format version or realm, damaged, not permitted
 */
export async function openRealmStore(components: RealmStoreComponents, init: RealmStoreInit): Promise<RealmStore> {
  try {
    return await open(components, init)
  } catch (error) {
    throw openError(error, init.directory)
  }
}

async function open(components: RealmStoreComponents, init: RealmStoreInit): Promise<RealmStore> {
  const directory = join(init.directory, 'segments')
  await makeDirectory(directory)
  await makeDirectory(join(init.directory, 'index'))
  const sizes = fileSizes(init)
  const index = await openIndex(init, { mayCreate: (await listSegments(directory)).length === 0, checkpointPages: sizes.checkpointPages })
  try {
    const lost = LostSegments.find(index, directory)
    const segments = await SegmentFiles.open({
      directory,
      realm: init.realm,
      known: index.segments(),
      open: components.openFile,
      segmentBytes: sizes.segmentBytes
    })
    const reserve = new DiskReserve(join(init.directory, 'index', 'reserve'))
    await reserve.open()
    const store = new DiskRealmStore(components, init, { index, segments, lost, reserve })
    await store.recover()
    return store
  } catch (error) {
    index.close()
    throw error
  }
}

/** Nothing is written into it before it is known to be whole. */
async function openIndex(
  { directory: home, realm }: RealmStoreInit,
  options: Pick<IndexInit, 'mayCreate' | 'checkpointPages'>
): Promise<IndexDb> {
  const directory = join(home, 'index')
  const path = join(directory, 'index.db')
  await checkVersion(path)
  const state = await checkSeal(directory)
  if (state === 'damaged') throw changedIndexError(path)
  if (state === 'open') await checkLog(path)
  const index = new IndexDb(path, { ...options, realm, hadLog: await hasLog(path) })
  try {
    if (state === 'open') checkOpenIndex(index, path)
    await breakSeal(directory)
    index.prepare()
    return index
  } catch (error) {
    index.close()
    throw error
  }
}

interface Parts {
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly lost: LostSegments
  readonly reserve: DiskReserve
}

class DiskRealmStore implements RealmStore {
  readonly blocks: BlockStore
  readonly records: RecordStore
  readonly remembered: Remembered
  readonly withheld: Withheld
  readonly #withheld: SqliteWithheld
  readonly #blocks: SegmentBlockStore
  readonly #records: SqliteRecordStore
  readonly #writer: StoreWriter
  readonly #compactor: Compactor
  readonly #index: IndexDb
  readonly #segments: SegmentFiles
  readonly #indexDirectory: string
  #closing: Promise<void> | undefined

  constructor(components: RealmStoreComponents, init: RealmStoreInit, { index, segments, lost, reserve }: Parts) {
    const { clock, log } = components
    const writer = new StoreWriter({ clock, log, index, segments, reserve }, { realm: init.realm })
    const space = new DiskSpace({ ...init, reserveShare: init.reserveShare ?? 0 })
    this.#blocks = new SegmentBlockStore({ index, segments, lost, writer, log, space }, { realm: init.realm, maxBytes: init.maxBytes })
    this.#records = new SqliteRecordStore({ clock, index, writer }, { realm: init.realm })
    this.#compactor = new Compactor({ clock, index, segments, lost, writer, log, blocks: this.#blocks })
    this.#writer = writer
    this.#index = index
    this.#segments = segments
    this.#sayDamage(log, init.realm)
    this.#indexDirectory = join(init.directory, 'index')
    this.blocks = this.#blocks
    this.records = this.#records
    this.remembered = new SqliteRemembered({ index, writer }, { realm: init.realm })
    this.#withheld = new SqliteWithheld({ index, writer })
    this.withheld = this.#withheld
    writer.onCommitted = changes => {
      if (changes.some(isRemoval)) void this.#compactor.run()
    }
  }

  #sayDamage(log: Log, realm: string): void {
    const { blocks, files } = this.damage()
    if (files.length > 0)
      log.error(
        { realm, files: files.slice(0, FILES_LOGGED_MAX), count: files.length },
        'segment files of the store are missing or cut short: their blocks are lost until the files are brought back from a backup, or kith verify --repair fetches them again'
      )
    if (blocks > 0) log.warn({ realm, corrupt: blocks }, 'corrupt blocks that were set aside earlier are still missing')
  }

  /** Deletes what puts left that a crash had ended. Before anybody reads. */
  async recover(): Promise<void> {
    const unborn = this.#withheld.unborn()
    for (const multihash of unborn) {
      await this.#blocks.delete(CID.createV1(RAW_CODEC, decode(multihash)))
      this.#withheld.release(multihash)
    }
    if (unborn.length > 0) await unlessFull(this.#writer.flush()) // they are gone for readers, and it is tried again
    void this.#compactor.run() // what the last process did not come to
  }

  corruptCount(): number {
    return this.#blocks.corruptCount
  }

  damage(): Damage {
    return this.#blocks.damage()
  }

  async forgetDamage(): Promise<void> {
    await this.#blocks.forgetDamage()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  /** Flushes, and closes everything even if that fails; then the failure is thrown. */
  async #close(): Promise<void> {
    await this.#compactor.stop()
    try {
      await unlessFull(this.#records.flushTouches()) // access times may be lost
      await this.#writer.flush()
    } finally {
      await this.#writer.stop()
      await this.#segments.close()
      this.#index.close()
      await seal(this.#indexDirectory).catch(() => {}) // without it the next open looks through the index
    }
  }
}

/** A full disk must not keep a store from being opened or closed. */
async function unlessFull(work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof KithError) || error.code !== 'QUOTA_EXCEEDED') throw error
  })
}

function isRemoval(change: Change): boolean {
  return change.kind !== 'put'
}

/** With its parents, so that they survive power loss too. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = directory; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
}
