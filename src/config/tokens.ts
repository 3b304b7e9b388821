/** Tokens in the configuration: who may use the socket, and for what. Only the digest of a token is ever written down. */
import type { Ms } from '../model/units.ts'
import { BadValueError, fieldsOf, listOf, type Key } from './key.ts'
import { didYouMean } from '../lib/nearest-word.ts'

/** What a token may grant; `admin` holds everything. */
export const TOKEN_SCOPES = ['read', 'write', 'pin', 'peers', 'swarm', 'admin'] as const
export type TokenScope = (typeof TOKEN_SCOPES)[number]

export interface TokenConfig {
  /** Tells tokens apart, in records too: keep it when a token is replaced. */
  readonly name: string
  /** SHA-256 of the token, 64 hex digits in lower case. */
  readonly sha256: string
  readonly scopes: readonly TokenScope[]
  /** Absolute directories below which `path` parameters may lie. Absent: nowhere. */
  readonly paths?: readonly string[]
  /** Realms it sees. Absent: what it put itself, and `public`. */
  readonly realms?: readonly string[]
  /** Unix milliseconds after which it no longer counts. */
  readonly expires?: Ms
}

const FIELDS = ['name', 'sha256', 'scopes', 'paths', 'realms', 'expires']
const SHAPE = '{name, sha256, scopes, paths?, realms?, expires?}'
/** Also the length that fits a record's list of names. Characters. */
const NAME_CHARACTERS_MAX = 64

export function tokens(facts: { readonly doc: string }): Key<readonly TokenConfig[]> {
  const list = listOf(SHAPE, { ...facts, default: [] }, parseToken)
  return {
    ...list,
    show: masked,
    parse: written => {
      const found = list.parse(written)
      const twice = found.find(({ name }, index) => found.findIndex(other => other.name === name) < index)
      if (twice !== undefined) throw new BadValueError(`names "${twice.name}" twice`)
      return found
    }
  }
}

function parseToken(written: unknown): TokenConfig {
  const { name, sha256, scopes, paths, realms, expires }: Readonly<Record<string, unknown>> = {
    ...fieldsOf(written, FIELDS, SHAPE)
  }
  if (typeof name !== 'string' || !/^[\w.@-]+$/.test(name) || name.length > NAME_CHARACTERS_MAX)
    throw new BadValueError(`has a token without a good name: letters, digits and . _ @ -, at most ${NAME_CHARACTERS_MAX}`)
  if (typeof sha256 !== 'string' || !/^[0-9a-fA-F]{64}$/.test(sha256))
    throw new BadValueError(`gives "${name}" no sha256 of 64 hex digits. "kith config token ${name} SCOPES" makes one`)
  return {
    name,
    sha256: sha256.toLowerCase(),
    scopes: parseScopes(scopes, name),
    ...(paths !== undefined && { paths: parsePaths(paths, name) }),
    ...(realms !== undefined && { realms: parseRealms(realms, name) }),
    ...(expires !== undefined && { expires: parseExpiry(expires, name) })
  }
}

function parseScopes(written: unknown, name: string): TokenScope[] {
  const words = textsOf(written, name, 'scopes')
  if (words.length === 0) throw new BadValueError(`gives "${name}" no scopes. There are ${TOKEN_SCOPES.join(', ')}`)
  return words.map(word => {
    const scope = TOKEN_SCOPES.find(known => known === word)
    if (scope !== undefined) return scope
    throw new BadValueError(
      `gives "${name}" the scope "${word}", which is none of ${TOKEN_SCOPES.join(', ')}.${didYouMean(word, TOKEN_SCOPES)}`
    )
  })
}

function parsePaths(written: unknown, name: string): string[] {
  const paths = textsOf(written, name, 'paths')
  const bad = paths.find(path => !path.startsWith('/') || path.includes('\0'))
  if (bad !== undefined) throw new BadValueError(`gives "${name}" the path "${bad}", which is not absolute`)
  return paths
}

function parseRealms(written: unknown, name: string): string[] {
  const realms = textsOf(written, name, 'realms')
  const bad = realms.find(realm => !/^[\w.-]{1,64}$/.test(realm))
  if (bad !== undefined)
    throw new BadValueError(`gives "${name}" the realm "${bad}". There are public, cache and own, and the names of groups`)
  return realms
}

function parseExpiry(written: unknown, name: string): Ms {
  const at = typeof written === 'string' && /^\d{4}-\d{2}-\d{2}/.test(written) ? Date.parse(written) : Number.NaN
  if (Number.isNaN(at)) throw new BadValueError(`lets "${name}" expire at no date. Write it as 2027-01-31 or 2027-01-31T12:00:00Z`)
  return at
}

function textsOf(written: unknown, name: string, field: string): string[] {
  const list: readonly unknown[] = Array.isArray(written) ? written : [written]
  return list.map(item => {
    if (typeof item === 'string' && item !== '') return item
    throw new BadValueError(`gives "${name}" ${field} that are not a list of words`)
  })
}

/** Names and rights may be seen; even the digests are nobody's business. */
function masked(written: unknown): unknown {
  if (Array.isArray(written)) return written.map(masked)
  return typeof written === 'object' && written !== null && 'sha256' in written ? { ...written, sha256: '***' } : written
}
