/**
 * Notices when this machine joins or leaves a network: a node may be started before there is one. Node tells nobody
 * of such changes, so the addresses of the interfaces are compared every few seconds. In memory only.
 */
import { networkInterfaces } from 'node:os'
import type { Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'

/** Between two looks, which take some 0.1 ms: short against the patience of whoever has just plugged in a cable. */
const LOOK_EVERY: Ms = 5_000

export interface NetworkWatchComponents {
  readonly clock: Clock
  /** Called after the addresses of this machine have changed. */
  readonly changed: () => void
  /** The addresses of this machine as one text. Tests give their own. */
  readonly look?: () => string
}

export class NetworkWatch {
  readonly #parts: NetworkWatchComponents
  readonly #look: () => string
  #seen = ''
  #cancel: () => void = () => {}

  constructor(components: NetworkWatchComponents) {
    this.#parts = components
    this.#look = components.look ?? addressesHere
  }

  start(): void {
    this.#seen = this.#look()
    this.#arm()
  }

  stop(): void {
    this.#cancel()
  }

  #arm(): void {
    this.#cancel = this.#parts.clock.after(LOOK_EVERY, () => {
      const now = this.#look()
      if (now !== this.#seen) {
        this.#seen = now
        this.#parts.changed()
      }
      this.#arm()
    })
  }
}

function addressesHere(): string {
  return Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .map(({ cidr, address }) => cidr ?? address)
    .toSorted()
    .join(' ')
}
