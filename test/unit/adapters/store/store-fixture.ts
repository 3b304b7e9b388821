/** Realm stores in temporary directories, a clock that stands still, a log that remembers errors. */
import { mkdtemp, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRealmStore, type RealmStoreComponents, type RealmStoreInit } from '../../../../src/adapters/store/realm-store.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { Log } from '../../../../src/ports/log.ts'
import type { RealmStore } from '../../../../src/ports/record-store.ts'

/** Timers fire when the test says so. */
export class ManualClock implements Clock {
  #timers = new Set<() => void>()
  now(): number {
    return 1_000_000
  }
  monotonic(): number {
    return 0
  }
  after(_delay: number, run: () => void): () => void {
    this.#timers.add(run)
    return () => {
      this.#timers.delete(run)
    }
  }

  fireAll(): void {
    const timers = [...this.#timers]
    this.#timers.clear()
    for (const run of timers) run()
  }
}

export class RememberingLog implements Log {
  readonly errors: string[] = []
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(_fields: object, message: string): void {
    this.errors.push(message)
  }
  child(): Log {
    return this
  }
}

/** A directory that goes away with the test. */
export class StoreFixture implements AsyncDisposable {
  readonly directory: string
  readonly clock = new ManualClock()
  readonly log = new RememberingLog()
  readonly #components: Partial<RealmStoreComponents>

  private constructor(directory: string, components: Partial<RealmStoreComponents>) {
    this.directory = directory
    this.#components = components
  }

  static async make(components: Partial<RealmStoreComponents> = {}): Promise<StoreFixture> {
    return new StoreFixture(await mkdtemp(join(tmpdir(), 'kith-store-')), components)
  }

  /** In a directory that somebody else made and removes. */
  static at(directory: string): StoreFixture {
    return new StoreFixture(directory, {})
  }

  async open(init: Partial<RealmStoreInit> = {}): Promise<RealmStore> {
    return await openRealmStore(
      { clock: this.clock, log: this.log, ...this.#components },
      { directory: join(this.directory, 'own'), realm: 'own', ...init }
    )
  }

  path(...parts: string[]): string {
    return join(this.directory, 'own', ...parts)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path(), { recursive: true, force: true })
    await rmdir(this.directory).catch(() => {}) // not empty, or a place where something is mounted
  }
}

/** A store whose directory goes away when it is closed. */
export async function temporaryStore(init: Partial<RealmStoreInit> = {}): Promise<RealmStore> {
  const fixture = await StoreFixture.make()
  const store = await fixture.open(init)
  return {
    blocks: store.blocks,
    records: store.records,
    remembered: store.remembered,
    withheld: store.withheld,
    corruptCount: () => store.corruptCount(),
    damage: () => store.damage(),
    forgetDamage: async () => await store.forgetDamage(),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await fixture[Symbol.asyncDispose]()
    }
  }
}
