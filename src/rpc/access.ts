/**
 * Who may call what: scopes of a caller, needs of a method, tokens and their logins, and the one place where they
 * are compared. Only digests of tokens are ever held here.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { KithError } from '../errors.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'

/** What a token (or the socket itself) grants. `admin` holds everything. */
export type Scope = 'read' | 'write' | 'pin' | 'peers' | 'swarm' | 'admin'

/** What a method needs: a scope (or one of two), `login` (any scope will do), or `open` (nothing, even before a login). */
export type Access = Scope | `${Scope} or ${Scope}` | 'login' | 'open'

/** One entry of `access.tokens`. */
export interface AccessToken {
  /** Tells tokens apart, in records too. */
  readonly name: string
  /** SHA-256 of the token, 64 hex digits. */
  readonly sha256: string
  readonly scopes: readonly Scope[]
  /** Absolute directories below which `path` parameters may lie. Absent: nowhere. */
  readonly paths?: readonly string[]
  /** Realms it sees, beside what it put itself. Absent: `public`. */
  readonly realms?: readonly string[]
  /** Unix milliseconds from which it no longer counts. */
  readonly expires?: Ms
}

/** One caller: a connection, or an HTTP request. */
export interface Caller {
  readonly scopes: ReadonlySet<Scope>
  /** What it logged in with; absent: the operator at the socket, or nobody. */
  readonly token?: AccessToken
}

/** Whoever can open the socket is the operator (`access.socket: admin`). */
export const OPERATOR: Caller = { scopes: new Set<Scope>(['admin']) }
/** Before a login (`access.socket: token`), after a failed one, and once a token has expired. */
export const NOBODY: Caller = { scopes: new Set<Scope>() }

/** Longest token looked at; those `kith config token` makes have 43. Characters. */
export const TOKEN_CHARACTERS_MAX = 1024

export interface AccessControl {
  readonly beforeLogin: Caller
  /** @throws KithError UNAUTHORIZED if no token in force has this digest */
  login(token: string): Caller
  /** The caller as it counts now: {@link NOBODY} once its token has expired. */
  current(caller: Caller): Caller
}

export function openAccess(init: {
  readonly tokens: readonly AccessToken[]
  readonly socket: 'admin' | 'token'
  readonly clock: Clock
}): AccessControl {
  const known = init.tokens.map(token => ({
    digest: Buffer.from(token.sha256, 'hex'),
    caller: { scopes: new Set(token.scopes), token }
  }))
  const isOver = ({ token }: Caller): boolean => token?.expires !== undefined && token.expires <= init.clock.now()
  return {
    beforeLogin: init.socket === 'admin' ? OPERATOR : NOBODY,
    login(token) {
      const digest = createHash('sha256').update(token.slice(0, TOKEN_CHARACTERS_MAX)).digest()
      // All are compared, so that the time says nothing about which.
      const [found] = known.filter(each => each.digest.byteLength === digest.byteLength && timingSafeEqual(each.digest, digest))
      if (found === undefined || token.length > TOKEN_CHARACTERS_MAX)
        throw new KithError('UNAUTHORIZED', 'this token is not known here. "kith config token NAME SCOPES" makes one.')
      if (isOver(found.caller)) throw expired(found.caller)
      return found.caller
    },
    current: caller => (isOver(caller) ? NOBODY : caller)
  }
}

export function expired({ token }: Caller): KithError {
  const at = new Date(token?.expires ?? 0).toISOString()
  return new KithError(
    'UNAUTHORIZED',
    `the token "${token?.name ?? ''}" expired at ${at}. "kith config token NAME SCOPES" makes a new one.`
  )
}

export function isAdmin({ scopes }: Caller): boolean {
  return scopes.has('admin')
}

/**
 * @throws KithError UNAUTHORIZED naming the scope that is missing
 */
export function authorize({ name, access }: { readonly name: string; readonly access: Access }, { scopes }: Caller): void {
  if (access === 'open' || scopes.has('admin')) return
  const enough = access === 'login' ? [...scopes] : access.split(' or ')
  for (const scope of scopes) if (enough.includes(scope)) return
  throw new KithError(
    'UNAUTHORIZED',
    `${name} needs ${access === 'login' ? 'a login' : `the scope ${access}`}, which this connection does not have. Log in with a token that grants it.`
  )
}
