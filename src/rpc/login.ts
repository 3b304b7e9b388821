/**
 * Who a connection is: nobody, the operator, or a token until it expires. A failed login leaves nothing, whoever it
 * was before, and after a few of them the connection may only be closed. In memory; dies with the connection.
 */
import { KithError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { expired, NOBODY } from './access.ts'
import type { AccessControl, Caller } from './access.ts'

/** Wrong tokens on one connection: a person mistypes twice, a program that guesses does not stop. */
const FAILED_LOGINS_MAX = 5

/** Counts the failed logins of one connection, whichever language it speaks. */
export class LoginAttempts {
  #failed = 0

  /** @throws KithError UNAUTHORIZED for a wrong token · RATE_LIMITED after too many of them */
  login(access: AccessControl, token: string): Caller {
    if (this.#failed >= FAILED_LOGINS_MAX)
      throw new KithError('RATE_LIMITED', `${FAILED_LOGINS_MAX} logins failed on this connection. Open another one with the right token.`, {
        limit: FAILED_LOGINS_MAX
      })
    try {
      return access.login(token)
    } catch (error) {
      this.#failed++
      throw error
    }
  }
}

/** Runs once when the token of a caller expires. @returns what takes it back */
export function whenExpired(
  { access, clock }: { readonly access: AccessControl; readonly clock: Clock },
  caller: Caller,
  run: (reason: KithError) => void
): () => void {
  const { expires } = caller.token ?? {}
  if (expires === undefined) return () => {}
  let cancel: () => void
  // The wall clock may have been set back meanwhile.
  const look = (): void => {
    if (access.current(caller) === caller) cancel = clock.after(expires - clock.now(), look)
    else run(expired(caller))
  }
  cancel = clock.after(expires - clock.now(), look)
  return () => cancel()
}

export class Login {
  readonly #parts: { readonly access: AccessControl; readonly clock: Clock }
  readonly #onChange: (reason: KithError | undefined) => void
  readonly #attempts = new LoginAttempts()
  #caller: Caller
  #cancelExpiry: () => void = () => {}

  /** `onChange`: the caller is another one now; with a reason if its token has expired. */
  constructor(
    parts: { readonly access: AccessControl; readonly clock: Clock },
    init: { readonly onChange: (reason: KithError | undefined) => void }
  ) {
    this.#parts = parts
    this.#onChange = init.onChange
    this.#caller = parts.access.beforeLogin
  }

  get caller(): Caller {
    return this.#parts.access.current(this.#caller)
  }

  /** @throws KithError UNAUTHORIZED · RATE_LIMITED */
  login(token: string): Caller {
    this.#become(NOBODY)
    this.#become(this.#attempts.login(this.#parts.access, token))
    return this.#caller
  }

  close(): void {
    this.#cancelExpiry()
  }

  #become(caller: Caller, reason?: KithError): void {
    this.#cancelExpiry()
    this.#caller = caller
    this.#cancelExpiry = whenExpired(this.#parts, caller, why => this.#become(NOBODY, why))
    this.#onChange(reason)
  }
}
