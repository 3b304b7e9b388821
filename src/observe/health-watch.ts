/**
 * Turns what other parts notice into health conditions, and takes them back when they are over: the one place with their
 * codes, severities and texts. Looks at disk, store, clock and endpoints by itself, once a minute. In memory only.
 */
import type { Bytes, Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { HealthBoard } from './health.ts'

/** Between two looks: a disk fills in minutes, not in seconds. */
const LOOK_MS: Ms = 60_000
/** Less room than this is none: a segment's tail and the index's log need it. Bytes. */
const DISK_FREE_BYTES_MIN: Bytes = 16 * 1_048_576
/** Clocks of machines that are looked after differ by less; signatures count with as much. Milliseconds. */
const CLOCK_SKEW_MS_MAX: Ms = 300_000

/** Lost files that are named: a disk that lost more is replaced. */
const FILES_NAMED_MAX = 3

export interface HealthWatchComponents {
  readonly health: HealthBoard
  readonly clock: Clock
  readonly log: Log
  readonly disk: () => Promise<{ readonly freeBytes: Bytes; readonly totalBytes: Bytes }>
  /** The places outside Kith, as `daemon.status` shows them; absent while they are not built. */
  readonly endpoints?: () => readonly { readonly type: string; readonly healthy: boolean }[]
}

/** What the disk lost of one realm. */
export interface StoreDamage {
  readonly realm: string
  /** Set aside because they no longer hash to their address. */
  readonly blocks: number
  readonly files: readonly { readonly name: string; readonly isMissing: boolean; readonly blocks: number }[]
}

export interface HealthWatchInit {
  /** Share of the disk that stays free, 0–1. */
  readonly reserve: number
  /** When the newest file of the home was written, before this start: now is not before that. Unix milliseconds. */
  readonly newestFileTime: Ms
}

export class HealthWatch {
  readonly #parts: HealthWatchComponents
  readonly #init: HealthWatchInit
  #endpoints: HealthWatchComponents['endpoints']
  #store: () => readonly StoreDamage[] = () => []
  #aheadOfPeers: Ms = 0
  #cancel: () => void = () => {}
  #isClosed = false

  constructor(components: HealthWatchComponents, init: HealthWatchInit) {
    this.#parts = components
    this.#init = init
    this.#endpoints = components.endpoints
  }

  /** Looks at once, then every minute until {@link close}. */
  async start(): Promise<void> {
    await this.look()
    if (!this.#isClosed) this.#cancel = this.#parts.clock.after(LOOK_MS, () => void this.start())
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
  }

  /** Which endpoints to look at, once they are there. */
  watchEndpoints(endpoints: NonNullable<HealthWatchComponents['endpoints']>): void {
    this.#endpoints = endpoints
    this.lookAtEndpoints()
  }

  /** Whose damage to look at, once it is open. */
  watchStore(store: () => readonly StoreDamage[]): void {
    this.#store = store
    this.lookAtStore()
  }

  async look(): Promise<void> {
    this.#lookAtClock()
    this.lookAtEndpoints()
    this.lookAtStore()
    try {
      this.#lookAtDisk(await this.#parts.disk())
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'the room on the disk cannot be learnt')
    }
  }

  /** Cheap: also done whenever somebody asks for the status. */
  lookAtEndpoints(): void {
    const endpoints = this.#endpoints?.() ?? []
    const gateways = endpoints.filter(({ type }) => type === 'gateway')
    const nodes = endpoints.filter(({ type }) => type !== 'gateway')
    this.#parts.health.set(isNoneWell(nodes), {
      code: 'IPFS_UNREACHABLE',
      severity: 'warning',
      title: 'no IPFS node answers; content comes from peers and gateways alone. Look at ipfs.nodes of the status, and check ipfs.api'
    })
    this.#parts.health.set(isNoneWell(gateways), {
      code: 'GATEWAYS_UNREACHABLE',
      severity: 'warning',
      title: 'no gateway answers; they are tried again by and by. Check the way to the internet, or the gateways of the configuration'
    })
  }

  /** Cheap, like the endpoints. */
  lookAtStore(): void {
    const damages = this.#store()
    const corrupt = damages.filter(({ blocks }) => blocks > 0).map(({ realm, blocks }) => `${blocks} in realm ${realm}`)
    this.#parts.health.set(corrupt.length > 0, {
      code: 'CORRUPT_BLOCKS',
      severity: 'error',
      title: `corrupt blocks were set aside and are missing: ${corrupt.join(', ')}. The disk may be failing; kith verify --repair fetches them again, and so does putting the content again`
    })
    const files = damages.flatMap(({ realm, files: lost }) =>
      lost.map(({ name, isMissing, blocks }) => `store/${realm}/${name} is ${isMissing ? 'missing' : 'cut short'} (${blocks} blocks)`)
    )
    const more = files.length > FILES_NAMED_MAX ? `, and ${files.length - FILES_NAMED_MAX} more` : ''
    this.#parts.health.set(files.length > 0, {
      code: 'STORE_FILES_LOST',
      severity: 'error',
      title: `files of the store were lost: ${files.slice(0, FILES_NAMED_MAX).join(', ')}${more}. Stop the daemon and bring them back from a backup, or fetch the blocks again with kith verify --repair; what is private and nowhere else has to be put again`
    })
  }

  /** A write failed for want of room; cleared when there is room again. */
  diskIsFull(): void {
    this.#parts.health.raise({
      code: 'DISK_FULL',
      severity: 'error',
      title: 'the disk is full: nothing can be put or fetched, reads go on. Make room; nothing needs to be restarted'
    })
  }

  cacheIsFull(isFull: boolean): void {
    this.#parts.health.set(isFull, {
      code: 'CACHE_FULL',
      severity: 'warning',
      title: 'the cache is full: new fetches fail. Raise cache.maxBytes, or remove content with kith rm'
    })
  }

  /** By how much our clock is ahead of what several peers agree on (below 0: behind); 0 when it agrees again. */
  clockIsAhead(ms: Ms): void {
    this.#aheadOfPeers = ms
    this.#lookAtClock()
  }

  /** Another process runs with a copy of our key. */
  identityIsDuplicate(): void {
    this.#parts.health.raise({
      code: 'DUPLICATE_IDENTITY',
      severity: 'error',
      title:
        'another node runs with the identity of this one, and both are hard to reach. Stop one; give it a home of its own, without the copied identity.key (kithd --new-identity makes another)'
    })
  }

  /** The port kept for an address was taken at this start; others look for this node at the old one. */
  portHasChanged({ address, port }: { readonly address: string; readonly port: number }): void {
    this.#parts.health.raise({
      code: 'PORT_CHANGED',
      severity: 'warning',
      title: `port ${port} of ${address} was taken by another process, so another one is used until the next start; peers may look for this node at the old one. Free the port and start again, or name a port of its own in network.listen`
    })
  }

  /** What others who tried say; `unknown`: nobody did. */
  reachabilityIs(reachability: 'public' | 'private' | 'unknown'): void {
    this.#parts.health.set(reachability === 'private', {
      code: 'NOT_REACHABLE',
      severity: 'warning',
      title:
        'others cannot connect to this node from outside its network; it can connect to them. Forward its port, and name it in network.announce'
    })
  }

  #lookAtDisk({ freeBytes, totalBytes }: { readonly freeBytes: Bytes; readonly totalBytes: Bytes }): void {
    const { health } = this.#parts
    const isFull = freeBytes < DISK_FREE_BYTES_MIN
    if (isFull) this.diskIsFull()
    else health.clear('DISK_FULL')
    health.set(!isFull && freeBytes < totalBytes * this.#init.reserve, {
      code: 'DISK_LOW',
      severity: 'warning',
      title: `less than ${percent(this.#init.reserve)} % of the disk is free (storage.reserve). Make room, or lower cache.maxBytes`
    })
  }

  #lookAtClock(): void {
    const behindFiles = this.#init.newestFileTime - this.#parts.clock.now()
    const isBehindFiles = behindFiles > CLOCK_SKEW_MS_MAX
    const ahead = isBehindFiles ? -behindFiles : this.#aheadOfPeers
    const witness = isBehindFiles ? 'files of this home are newer than now' : 'several peers say so'
    this.#parts.health.set(Math.abs(ahead) > CLOCK_SKEW_MS_MAX, {
      code: 'CLOCK_SKEW',
      severity: 'warning',
      title: `the clock of this machine seems to be ${span(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'} (${witness}). Set it: others refuse what is signed at another time`
    })
  }
}

function isNoneWell(endpoints: readonly { readonly healthy: boolean }[]): boolean {
  return endpoints.length > 0 && endpoints.every(({ healthy }) => !healthy)
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10
}

/** `7 minutes`, `24 hours`: coarse, so that a clock that goes on wrong is one condition and not one a minute. */
function span(ms: Ms): string {
  const hours = Math.round(ms / 3_600_000)
  return hours >= 2 ? `${hours} hours` : `${Math.round(ms / 60_000)} minutes`
}
