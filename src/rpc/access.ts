/** Who may call what: scopes of a caller, needs of a method, and the one place where they are compared. */
import { KithError } from '../errors.ts'

/** What a token (or the socket itself) grants. `admin` holds everything. */
export type Scope = 'read' | 'write' | 'pin' | 'peers' | 'swarm' | 'admin'

/** What a method needs: a scope, `login` (any scope will do), or `open` (nothing, even before a login). */
export type Access = Scope | 'login' | 'open'

/** One caller: a connection, or an HTTP request. */
export interface Caller {
  readonly scopes: ReadonlySet<Scope>
}

/** Whoever can open the socket is the operator (`access.socket: admin`). */
export const OPERATOR: Caller = { scopes: new Set<Scope>(['admin']) }

/**
 * @throws KithError UNAUTHORIZED naming the scope that is missing
 */
export function authorize({ name, access }: { readonly name: string; readonly access: Access }, { scopes }: Caller): void {
  if (access === 'open' || scopes.has('admin')) return
  if (access === 'login' ? scopes.size > 0 : scopes.has(access)) return
  throw new KithError(
    'UNAUTHORIZED',
    `${name} needs ${access === 'login' ? 'a login' : `the scope "${access}"`}, which this connection does not have. Log in with a token that grants it.`
  )
}
