/**
 * The one place where JWTs are made and believed. did-jwt writes and reads them; what makes one believed is decided
 * here, so that none of the library's lenient defaults is ever met: only EdDSA, only did:key of Ed25519 unless a resolver
 * is given, audience and times required and bounded, everything cheap checked before the signature, and that by the
 * native check, a tenth of the library's time (docs/decisions/0064-what-an-advert-costs.md). Holds no state.
 */
import { base64ToBytes, createJWT, decodeJWT } from 'did-jwt'
import { fromString, toString } from 'uint8arrays'
import { KithError } from '../errors.ts'
import { isSignedEd25519 } from '../model/ed25519.ts'
import type { DidResolver } from '../ports/did-resolver.ts'
import type { Identity } from '../ports/identity.ts'
import type { AbortOptions } from '../ports/options.ts'
import { publicKeyFromDid } from './did-key.ts'

/** Clocks of two honest nodes may differ by this much. Seconds. */
export const JWT_SKEW_SECONDS = 30
/** did:key of an Ed25519 key: `z6Mk` and 44 characters of base58btc, no fragment, no path. */
const ISSUER = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/
/** The same, or a DID of a method that must be looked up. */
const ANY_ISSUER = /^did:(key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}|(?!key:)[a-z0-9]{1,32}:[A-Za-z0-9._:%-]{1,400})$/
const PART = /^[A-Za-z0-9_-]+$/
/** 64 bytes as base64url. Characters. */
const SIGNATURE_CHARACTERS = 86

/** What was wrong. Only `time` depends on when and where one looks; all else every reader sees alike. */
export type JwtFault = 'size' | 'form' | 'header' | 'issuer' | 'audience' | 'time' | 'lifetime' | 'signature'

/** A JWT that is not believed (INTEGRITY). */
export class JwtError extends KithError {
  readonly reason: JwtFault
  constructor(reason: JwtFault, message: string, options?: ErrorOptions) {
    super('INTEGRITY', `the signed token is not believed: ${message}`, { reason }, options)
    this.name = 'JwtError'
    this.reason = reason
  }
}

export interface JwtClaims {
  readonly aud: string
  /** Unix seconds. */
  readonly iat: number
  /** Unix seconds. */
  readonly exp: number
  readonly [claim: string]: unknown
}

/** Claims whose form is checked and whose signature is NOT. For cheap refusals only. */
export interface UnverifiedJwt extends JwtClaims {
  readonly iss: string
}

export interface VerifiedJwt {
  /** did:key whose key signed. */
  readonly issuer: string
  readonly claims: UnverifiedJwt
}

export interface VerifyJwtOptions extends AbortOptions {
  /** `aud` must be this very string; arrays are refused. */
  readonly audience: string
  /** Unix seconds. */
  readonly now: number
  /** Longest `exp - iat` accepted. Seconds. */
  readonly expMaxSeconds: number
  /** Longest token read at all. */
  readonly charactersMax: number
  /** If given, `iss` must be this DID. */
  readonly issuer?: string
  /** Lets issuers be other DIDs than did:key. Asked after all else was checked. */
  readonly resolver?: DidResolver
}

/** Signs with the node's key, or a person's. `iss` is always the identity's own DID. */
export async function signJwt(claims: JwtClaims, identity: Pick<Identity, 'did' | 'sign'>): Promise<string> {
  const signer = async (data: string | Uint8Array): Promise<string> =>
    toString(await identity.sign(typeof data === 'string' ? fromString(data) : data), 'base64url')
  return await createJWT({ ...claims }, { issuer: identity.did, signer }, { alg: 'EdDSA', typ: 'JWT' })
}

/**
 * Checks length, form, header, issuer, audience and times, then the signature.
 *
 * @throws JwtError (INTEGRITY); nothing else
 */
export async function verifyJwt(jwt: string, options: VerifyJwtOptions): Promise<VerifiedJwt> {
  const claims = checkJwt(jwt, options, options.resolver === undefined ? 'did:key' : 'any')
  const keys = options.resolver === undefined ? undefined : await resolved(claims.iss, options.resolver, { signal: options.signal })
  checkSignature(jwt, claims.iss, keys)
  return { issuer: claims.iss, claims }
}

/**
 * All of {@link verifyJwt} but the signature.
 *
 * @throws JwtError, any but `signature`
 */
export function checkJwt(jwt: string, options: VerifyJwtOptions, issuers: 'did:key' | 'any'): UnverifiedJwt {
  const claims = readJwt(jwt, options.charactersMax, issuers === 'any' ? ANY_ISSUER : ISSUER)
  checkAudience(claims, options)
  checkTimes(claims, options)
  return claims
}

/**
 * Reads a token without believing it: form, header and issuer syntax are checked, nothing else.
 *
 * @throws JwtError `size` `form` `header` `issuer`
 */
export function readUnverifiedJwt(jwt: string, charactersMax: number): UnverifiedJwt {
  return readJwt(jwt, charactersMax, ISSUER)
}

function readJwt(jwt: string, charactersMax: number, issuers: RegExp): UnverifiedJwt {
  if (jwt.length > charactersMax) throw new JwtError('size', `it has ${jwt.length} characters, at most ${charactersMax} are read`)
  const parts = jwt.split('.', 4)
  const [header, payload, signature] = parts
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
    throw new JwtError('form', 'it has not exactly three parts')
  if (!parts.every(part => PART.test(part))) throw new JwtError('form', 'a part is empty or not base64url')
  if (signature.length !== SIGNATURE_CHARACTERS) throw new JwtError('signature', 'the signature has not 64 bytes')
  checkHeader(decodeObject(header))
  return checkClaims(decodeObject(payload), issuers)
}

function decodeObject(part: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromString(part, 'base64url')))
  } catch (error) {
    throw new JwtError('form', 'a part is not JSON in UTF-8', { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new JwtError('form', 'a part is not a JSON object')
  return { ...value }
}

function checkHeader(header: Record<string, unknown>): void {
  if (Object.keys(header).length === 2 && header['alg'] === 'EdDSA' && header['typ'] === 'JWT') return
  throw new JwtError('header', 'its header is not {"alg":"EdDSA","typ":"JWT"}')
}

function checkClaims(payload: Record<string, unknown>, issuers: RegExp): UnverifiedJwt {
  const { iss, aud, iat, exp, nbf } = payload
  if (typeof iss !== 'string' || !issuers.test(iss)) throw new JwtError('issuer', 'its issuer is no did:key of an Ed25519 key')
  if (typeof aud !== 'string') throw new JwtError('audience', 'it names no single audience')
  if (!isSeconds(iat) || !isSeconds(exp)) throw new JwtError('form', 'iat and exp are not both whole seconds')
  if (nbf !== undefined && !isSeconds(nbf)) throw new JwtError('form', 'nbf is not a whole second')
  return { ...payload, iss, aud, iat, exp }
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function checkAudience(claims: UnverifiedJwt, options: VerifyJwtOptions): void {
  if (claims.aud !== options.audience) throw new JwtError('audience', 'it is meant for another audience')
  if (options.issuer !== undefined && claims.iss !== options.issuer) throw new JwtError('issuer', 'its issuer is not the one expected')
}

function checkTimes(claims: UnverifiedJwt, { now, expMaxSeconds }: VerifyJwtOptions): void {
  const { iat, exp, nbf } = claims
  if (exp <= iat || exp - iat > expMaxSeconds) throw new JwtError('lifetime', `it does not end within ${expMaxSeconds} s after it begins`)
  if (iat > now + JWT_SKEW_SECONDS) throw new JwtError('time', 'it was issued in the future')
  if (exp <= now - JWT_SKEW_SECONDS) throw new JwtError('time', 'it has expired')
  if (typeof nbf === 'number' && nbf > now + JWT_SKEW_SECONDS) throw new JwtError('time', 'it is not valid yet')
}

/** @param keys - what its issuer was resolved to; undefined: the one key that its did:key is */
function checkSignature(jwt: string, issuer: string, keys: readonly Uint8Array[] | undefined): void {
  let isSigned: boolean
  try {
    const { data, signature } = decodeJWT(jwt, false)
    const [message, bytes] = [fromString(data), base64ToBytes(signature)]
    isSigned = (keys ?? [publicKeyFromDid(issuer)]).some(key => isSignedEd25519(key, message, bytes))
  } catch (error) {
    throw new JwtError('signature', "its signature is not its issuer's", { cause: error })
  }
  if (!isSigned) throw new JwtError('signature', "its signature is not its issuer's")
}

async function resolved(issuer: string, resolver: DidResolver, options: AbortOptions): Promise<readonly Uint8Array[]> {
  try {
    return await resolver.resolve(issuer, options)
  } catch (error) {
    throw new JwtError('issuer', "its issuer's keys cannot be had", { cause: error })
  }
}
