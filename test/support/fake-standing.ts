/** A standing that a test sets by hand: access by peer, who is shunned, and everything that was reported. */
import type { Offence, Standing } from '../../src/ports/standing.ts'

/** `trust.minTrusted` of the tests. */
const MIN_TRUSTED = 5

export class FakeStanding implements Standing {
  readonly reports: [peer: string, offence: Offence][] = []
  readonly #access = new Map<string, number>()
  readonly #shunned = new Set<string>()
  readonly #listeners = new Set<(peer: string) => void>()

  set(peer: string, access: number): void {
    this.#access.set(peer, access)
    this.#tell(peer)
  }
  shun(peer: string): void {
    this.#shunned.add(peer)
    this.#tell(peer)
  }
  accessOf(peer: string): number {
    return this.#shunned.has(peer) ? 0 : (this.#access.get(peer) ?? 0)
  }
  trustOf(peer: string): number {
    return this.accessOf(peer)
  }
  isTrusted(peer: string): boolean {
    return this.accessOf(peer) >= MIN_TRUSTED
  }
  isShunned(peer: string): boolean {
    return this.#shunned.has(peer)
  }
  whyShunned(peer: string): string | undefined {
    return this.isShunned(peer) ? 'the test said so' : undefined
  }
  nameOf(): string | undefined {
    return undefined
  }
  trustedPeers(): readonly string[] {
    return [...this.#access.keys()].filter(peer => this.isTrusted(peer))
  }
  report(peer: string, offence: Offence): void {
    this.reports.push([peer, offence])
  }
  onChange(listener: (peer: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(peer: string): void {
    for (const listener of this.#listeners) listener(peer)
  }
}
