/** The parts of a store by hand, for tests that reach below the port. */
import { mkdir } from 'node:fs/promises'
import { Compactor } from '../../../../src/adapters/store/compactor.ts'
import { DiskReserve } from '../../../../src/adapters/store/disk-reserve.ts'
import { DiskSpace } from '../../../../src/adapters/store/disk-space.ts'
import { IndexDb } from '../../../../src/adapters/store/index-db.ts'
import { LostSegments } from '../../../../src/adapters/store/lost-segments.ts'
import { SegmentBlockStore } from '../../../../src/adapters/store/segment-block-store.ts'
import { SegmentFiles } from '../../../../src/adapters/store/segment-files.ts'
import { StoreWriter } from '../../../../src/adapters/store/store-writer.ts'
import type { StoreFixture } from './store-fixture.ts'

export class StoreParts implements AsyncDisposable {
  readonly index: IndexDb
  readonly segments: SegmentFiles
  readonly writer: StoreWriter
  readonly blocks: SegmentBlockStore
  readonly compactor: Compactor

  private constructor(fixture: StoreFixture, index: IndexDb, segments: SegmentFiles) {
    const { clock, log } = fixture
    this.index = index
    this.segments = segments
    this.writer = new StoreWriter(
      { clock, log, index, segments, reserve: new DiskReserve(fixture.path('index', 'reserve')) },
      { realm: 'own' }
    )
    const lost = LostSegments.find(index, fixture.path('segments'))
    const space = new DiskSpace({ directory: fixture.directory, realm: 'own', reserveShare: 0 })
    this.blocks = new SegmentBlockStore({ index, segments, lost, writer: this.writer, log, space }, { realm: 'own' })
    this.compactor = new Compactor({ clock, index, segments, lost, writer: this.writer, log, blocks: this.blocks })
  }

  static async open(fixture: StoreFixture, segmentBytes?: number): Promise<StoreParts> {
    const directory = fixture.path('segments')
    await mkdir(directory, { recursive: true })
    await mkdir(fixture.path('index'), { recursive: true })
    const index = new IndexDb(fixture.path('index', 'index.db'), { realm: 'own', mayCreate: true })
    index.prepare()
    return new StoreParts(fixture, index, await SegmentFiles.open({ directory, realm: 'own', known: index.segments(), segmentBytes }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.compactor.stop()
    await this.writer.stop()
    await this.segments.close()
    this.index.close()
  }
}
