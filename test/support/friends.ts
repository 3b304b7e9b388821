/** A standing that trusts whom a test tells it to; the rest are strangers. */
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { HostStanding } from '../../src/adapters/libp2p/judgement.ts'

export class Friends implements HostStanding {
  readonly #trusted = new Set<string>()
  readonly #listeners = new Set<(peer: string) => void>()
  readonly shunned = new Set<string>()
  /** `offence peer`. */
  readonly reports: string[] = []
  trust(...hosts: readonly Host[]): void {
    for (const { self } of hosts) {
      this.#trusted.add(self)
      for (const listener of this.#listeners) listener(self)
    }
  }
  distrust({ self }: Host): void {
    this.#trusted.delete(self)
    for (const listener of this.#listeners) listener(self)
  }
  trustOf(peer: string): number {
    return this.isTrusted(peer) ? 8 : 0
  }
  isTrusted(peer: string): boolean {
    return this.#trusted.has(peer)
  }
  isShunned(peer: string): boolean {
    return this.shunned.has(peer)
  }
  report(peer: string, offence: string): void {
    this.reports.push(`${offence} ${peer}`)
  }
  onChange(listener: (peer: string) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
