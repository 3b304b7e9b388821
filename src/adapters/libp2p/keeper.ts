/**
 * Keeps addresses connected: dials them at once and after every loss, with a growing pause between failures. Each dial
 * starts from the address as it was written, so that a name (`/dns…`, `/dnsaddr`) is resolved anew each time.
 * libp2p's own reconnect queue gives up after five tries and forgets the peer; this never does.
 */
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

/** Pause after the first failure; doubles up to the largest. */
const PAUSE_MIN: Ms = 1_000
const PAUSE_MAX: Ms = 60_000

interface KeeperComponents {
  readonly clock: Clock
  readonly log: Log
  readonly isConnected: (peer: string) => boolean
  /** Resolves with the peer id. */
  readonly dial: (address: string, options: { readonly signal: AbortSignal }) => Promise<string>
  /** Called with each peer that is to stay. */
  readonly protect: (peer: string) => Promise<void>
  /** False: leave it for now, look again later. */
  readonly wanted: () => boolean
}

interface Kept {
  readonly address: string
  peer: string | undefined
  failures: number
  cancel: (() => void) | undefined
  dialling: boolean
}

export class Keeper {
  readonly #parts: KeeperComponents
  readonly #kept: readonly Kept[]
  readonly #stop = new AbortController()

  constructor(components: KeeperComponents, addresses: readonly string[]) {
    this.#parts = components
    this.#kept = addresses.map(address => ({ address, peer: undefined, failures: 0, cancel: undefined, dialling: false }))
  }

  /** Resolves when every address was tried once. */
  async start(): Promise<void> {
    await Promise.all(this.#kept.map(async kept => await this.#dial(kept)))
  }

  /** The network has changed: whoever is away is tried at once, and with short pauses again. */
  retry(): void {
    for (const kept of this.#kept) {
      if (kept.cancel === undefined) continue
      kept.failures = 0
      kept.cancel()
      void this.#dial(kept)
    }
  }

  /** To be called when a peer has gone. */
  disconnected(peer: string): void {
    for (const kept of this.#kept) {
      if (kept.peer === peer) this.#later(kept, PAUSE_MIN)
    }
  }

  stop(): void {
    this.#stop.abort(new DOMException('the host stops', 'AbortError'))
    for (const kept of this.#kept) kept.cancel?.()
  }

  #later(kept: Kept, pause: Ms): void {
    if (this.#stop.signal.aborted) return
    kept.cancel?.()
    kept.cancel = this.#parts.clock.after(pause, () => {
      void this.#dial(kept)
    })
  }

  async #dial(kept: Kept): Promise<void> {
    kept.cancel = undefined
    if (kept.dialling || (kept.peer !== undefined && this.#parts.isConnected(kept.peer))) return
    if (!this.#parts.wanted()) {
      this.#later(kept, PAUSE_MAX)
      return
    }
    kept.dialling = true
    try {
      kept.peer = await this.#parts.dial(kept.address, { signal: this.#stop.signal })
      kept.failures = 0
      await this.#parts.protect(kept.peer)
    } catch (error) {
      this.#parts.log.debug({ err: error, failures: kept.failures }, 'a configured peer could not be reached')
      this.#later(kept, Math.min(PAUSE_MAX, PAUSE_MIN * 2 ** kept.failures))
      kept.failures = Math.min(kept.failures + 1, 16)
    } finally {
      kept.dialling = false
    }
    if (kept.peer !== undefined && kept.cancel === undefined && !this.#parts.isConnected(kept.peer)) this.#later(kept, PAUSE_MIN)
  }
}
