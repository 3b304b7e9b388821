/** What an assertion says, as a JWT for one reader: the claims, written and read. Pure but for the signature. */
import { KithError } from '../errors.ts'
import type { Identity } from '../ports/identity.ts'
import type { StoredAssertion } from './assertions.ts'
import { parseDid } from './did.ts'
import { signJwt, verifyJwt, type UnverifiedJwt } from './jwt.ts'
import { LEVEL_MAX } from './trust-book.ts'

/** Two DIDs, a context and a signature take some 700; longer ones are not read. Characters. */
export const ASSERTION_CHARACTERS_MAX = 4_096
/** An assertion has faded to nothing long before. Seconds. */
export const ASSERTION_SECONDS_MAX = 2 * 366 * 86_400
/** A word or a short sentence about where it counts. Characters. */
const CONTEXT_CHARACTERS_MAX = 256

/** Signs one assertion for one reader. */
export async function signAssertion(said: Omit<StoredAssertion, 'iss'>, aud: string, identity: Identity): Promise<string> {
  const { sub, level, context = '', iat, exp } = said
  return await signJwt({ sub, trustLevel: level, context, iat, exp, aud }, identity)
}

/**
 * @throws JwtError (INTEGRITY) for one that is not believed · KithError INVALID_PARAMS for one that says nothing:
 * about its issuer or its reader, or out of bounds
 */
export async function verifyAssertion(
  jwt: string,
  { reader, issuer, now }: { readonly reader: string; readonly issuer: string; readonly now: number }
): Promise<StoredAssertion> {
  const { claims } = await verifyJwt(jwt, {
    audience: reader,
    issuer,
    now,
    expMaxSeconds: ASSERTION_SECONDS_MAX,
    charactersMax: ASSERTION_CHARACTERS_MAX
  })
  return readAssertionClaims(claims, reader)
}

/** Of a token that is not verified yet, for cheap refusals. @throws KithError INVALID_PARAMS */
export function readAssertionClaims(claims: UnverifiedJwt, reader: string): StoredAssertion {
  const { iss, iat, exp, sub, trustLevel, context }: UnverifiedJwt = claims
  if (typeof sub !== 'string' || parseDid(sub) !== sub) throw nothing('it names nobody by a DID')
  if (sub === iss) throw nothing('a word about oneself counts nothing')
  if (sub === reader) throw nothing('it is about the one who reads it')
  if (typeof trustLevel !== 'number' || !(trustLevel >= 0 && trustLevel <= LEVEL_MAX))
    throw nothing(`its trustLevel is no number between 0 and ${LEVEL_MAX}`)
  if (context !== undefined && (typeof context !== 'string' || context.length > CONTEXT_CHARACTERS_MAX || !context.isWellFormed()))
    throw nothing(`its context is no text of at most ${CONTEXT_CHARACTERS_MAX} characters`)
  return { iss, sub, level: trustLevel, iat, exp, ...(context === undefined || context === '' ? {} : { context }) }
}

function nothing(why: string): KithError {
  return new KithError('INVALID_PARAMS', `the assertion is not taken: ${why}`)
}
