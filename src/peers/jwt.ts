/**
 * The one place where JWTs are made and believed. Wraps did-jwt so that none of its lenient defaults is ever met:
 * only EdDSA, only did:key of Ed25519, audience and times required and bounded, everything cheap checked before
 * the signature (about a millisecond of event loop). Holds no state.
 */
import { createJWT, verifyJWT, type JWTVerifyOptions } from 'did-jwt'
import { fromString, toString } from 'uint8arrays'
import { KithError } from '../errors.ts'
import type { Identity } from '../ports/identity.ts'
import { publicKeyFromDid } from './did-key.ts'

/** Clocks of two honest nodes may differ by this much. Seconds. */
export const JWT_SKEW_SECONDS = 30
/** did:key of an Ed25519 key: `z6Mk` and 44 characters of base58btc, no fragment, no path. */
const ISSUER = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/
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

export interface VerifyJwtOptions {
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
}

/** Signs with the node's key. `iss` is always the identity's own DID. */
export async function signJwt(claims: JwtClaims, identity: Identity): Promise<string> {
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
  const claims = readUnverifiedJwt(jwt, options.charactersMax)
  checkAudience(claims, options)
  checkTimes(claims, options)
  const issuer = await checkSignature(jwt, options)
  // did-jwt keeps what it resolved in its options; a token must be signed by whom it names, not by whom came before.
  if (issuer !== claims.iss) throw new JwtError('issuer', 'it was signed by another than it names')
  return { issuer, claims }
}

/**
 * Reads a token without believing it: form, header and issuer syntax are checked, nothing else.
 *
 * @throws JwtError `size` `form` `header` `issuer`
 */
export function readUnverifiedJwt(jwt: string, charactersMax: number): UnverifiedJwt {
  if (jwt.length > charactersMax) throw new JwtError('size', `it has ${jwt.length} characters, at most ${charactersMax} are read`)
  const parts = jwt.split('.', 4)
  const [header, payload, signature] = parts
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
    throw new JwtError('form', 'it has not exactly three parts')
  if (!parts.every(part => PART.test(part))) throw new JwtError('form', 'a part is empty or not base64url')
  if (signature.length !== SIGNATURE_CHARACTERS) throw new JwtError('signature', 'the signature has not 64 bytes')
  checkHeader(decodeObject(header))
  return checkClaims(decodeObject(payload))
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

function checkClaims(payload: Record<string, unknown>): UnverifiedJwt {
  const { iss, aud, iat, exp, nbf } = payload
  if (typeof iss !== 'string' || !ISSUER.test(iss)) throw new JwtError('issuer', 'its issuer is no did:key of an Ed25519 key')
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

async function checkSignature(jwt: string, { audience, now }: VerifyJwtOptions): Promise<string> {
  // A new object every time: did-jwt writes the resolved key into it and would believe it the next time.
  const options: JWTVerifyOptions = {
    resolver: ED25519_RESOLVER,
    audience,
    proofPurpose: 'assertionMethod',
    skewTime: JWT_SKEW_SECONDS,
    policies: { now }
  }
  try {
    return (await verifyJWT(jwt, options)).issuer
  } catch (error) {
    throw new JwtError('signature', "its signature is not its issuer's", { cause: error })
  }
}

/** Resolves did:key offline, to its Ed25519 key and nothing else. */
const ED25519_RESOLVER: NonNullable<JWTVerifyOptions['resolver']> = {
  async resolve(did: string) {
    publicKeyFromDid(did)
    const key = did.slice('did:key:'.length)
    const id = `${did}#${key}`
    return {
      didResolutionMetadata: {},
      didDocumentMetadata: {},
      didDocument: {
        id: did,
        verificationMethod: [{ id, type: 'Ed25519VerificationKey2020', controller: did, publicKeyMultibase: key }],
        assertionMethod: [id]
      }
    }
  }
}
