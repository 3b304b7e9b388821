/**
 * Resolves DIDs: did:key offline, other methods through their adapter and only if the operator named the DID, because
 * asking tells a stranger's server about this node. Remembers answers for a while, in memory.
 */
import { KithError } from '../errors.ts'
import { SingleFlight } from '../lib/single-flight.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { DidResolver } from '../ports/did-resolver.ts'
import type { AbortOptions } from '../ports/options.ts'
import { publicKeyFromDid } from './did-key.ts'

/** A key that was withdrawn is believed no longer than this. */
const ANSWER_KEPT_MS: Ms = 60 * 60_000
/** A server that did not answer, or answered nonsense, is left alone for this long. */
const FAILURE_KEPT_MS: Ms = 60_000
/** DIDs whose answer is kept: far more than an operator names by hand. Count. */
const ANSWERS_MAX = 256
/** No DID is longer: a host name of 253 characters and a path. Characters. */
const DID_CHARACTERS_MAX = 512

export interface MethodResolverComponents {
  readonly clock: Clock
  /** Whether the operator named this DID (`trust.set`): only such are asked about. */
  readonly isNamed: (did: string) => boolean
  /** By method: `web`. */
  readonly methods: Readonly<Record<string, DidResolver>>
}

interface Answer {
  readonly keys: readonly Uint8Array[] | KithError
  readonly until: Ms
}

export class MethodResolver implements DidResolver {
  readonly #parts: MethodResolverComponents
  readonly #answers = new Map<string, Answer>()
  readonly #flights = new SingleFlight<readonly Uint8Array[]>()

  constructor(components: MethodResolverComponents) {
    this.#parts = components
  }

  async resolve(did: string, options: AbortOptions = {}): Promise<readonly Uint8Array[]> {
    if (did.startsWith('did:key:')) return [publicKeyFromDid(did)]
    const resolver = this.#resolverOf(did)
    if (!this.#parts.isNamed(did))
      throw new KithError(
        'UNAUTHORIZED',
        'nothing is asked about a DID that the operator has not named; kith trust set DID LEVEL names it',
        { did }
      )
    const kept = this.#answers.get(did)
    if (kept === undefined || this.#parts.clock.monotonic() >= kept.until)
      return await this.#flights.run(did, async within => await this.#ask(resolver, did, within), options)
    if (kept.keys instanceof KithError) throw kept.keys
    return kept.keys
  }

  #resolverOf(did: string): DidResolver {
    const method = did.length > DID_CHARACTERS_MAX ? undefined : /^did:([a-z0-9]+):[^\s]+$/.exec(did)?.[1]
    const resolver = method === undefined || !Object.hasOwn(this.#parts.methods, method) ? undefined : this.#parts.methods[method]
    if (resolver === undefined)
      throw new KithError(
        'INVALID_PARAMS',
        `this is no DID whose keys can be found: did:key and did:${Object.keys(this.#parts.methods).join(', did:')} are known`
      )
    return resolver
  }

  async #ask(resolver: DidResolver, did: string, options: AbortOptions): Promise<readonly Uint8Array[]> {
    try {
      const keys = await resolver.resolve(did, options)
      this.#keep(did, keys, ANSWER_KEPT_MS)
      return keys
    } catch (error) {
      if (error instanceof KithError && options.signal?.aborted !== true) this.#keep(did, error, FAILURE_KEPT_MS)
      throw error
    }
  }

  #keep(did: string, keys: Answer['keys'], time: Ms): void {
    this.#answers.delete(did)
    this.#answers.set(did, { keys, until: this.#parts.clock.monotonic() + time })
    const [oldest] = this.#answers.keys()
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest)
  }
}
