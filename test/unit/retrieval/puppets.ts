/** Ladders whose sources the test moves by hand. */
import { KithError } from '../../../src/errors.ts'
import type { Stage } from '../../../src/model/source.ts'
import { SourceError } from '../../../src/ports/block-source.ts'
import { Ladder } from '../../../src/retrieval/ladder.ts'
import type { Candidate, Run, Rung } from '../../../src/retrieval/rung.ts'
import type { VirtualClock } from '../../support/virtual-clock.ts'

/** A source whose every move the test makes. */
export class Puppet {
  readonly candidate: Candidate
  run: Run | undefined
  startedAt: number | undefined
  #resolve: () => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(clock: VirtualClock, stage: Stage, name: string, more: Partial<Omit<Candidate, 'id' | 'run'>> = {}) {
    this.candidate = {
      id: { stage, peer: name },
      claims: false,
      ...more,
      run: async run => {
        this.run = run
        this.startedAt = clock.monotonic()
        await new Promise<void>((resolve, reject) => {
          this.#resolve = resolve
          this.#reject = reject
          run.signal.addEventListener('abort', () => {
            reject(run.signal.reason)
          })
        })
      }
    }
  }

  deliver(bytes = 100): void {
    this.run?.verified(bytes)
  }
  finish(): void {
    this.#resolve()
  }
  fail(outcome: SourceError['outcome']): void {
    this.#reject(new SourceError(outcome, outcome))
  }
  get isAborted(): boolean {
    return this.run?.signal.aborted === true
  }
}

export interface Setup {
  readonly clock: VirtualClock
  readonly ladder: Ladder
  readonly ended: Promise<string>
  readonly abort: AbortController
}

export function climb(clock: VirtualClock, rungs: Rung[], { ttl = 30_000, strict = false } = {}): Setup {
  const abort = new AbortController()
  const ladder = new Ladder({ clock }, { rungs, ttl, strict })
  const ended = ladder.climb({ signal: abort.signal }).then(
    () => 'ok',
    (error: unknown) => (error instanceof KithError ? error.code : String(error))
  )
  return { clock, ladder, ended, abort }
}

export const rung = (stage: Stage, delay: number, puppets: Puppet[], more?: Rung['more']): Rung => ({
  stage,
  delay,
  candidates: puppets.map(puppet => puppet.candidate),
  hedgeDelay: stage === 'peer' ? 250 : 2000,
  maxParallel: 3,
  ...(more === undefined ? {} : { more })
})

/** Lets promise callbacks run; no time passes. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}
