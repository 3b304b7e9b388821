/**
 * Signing a binding: the person's side, which the client does where the person's key is, and what both sides agree on.
 * Holds no state and keeps no key.
 */
import type { Identity } from '../ports/identity.ts'
import { signJwt } from './jwt.ts'

/** `aud` of every binding. */
export const BINDING_AUDIENCE = 'kith/binding/1'
/** Whoever loses a key waits no longer than this for what it bound to end. Seconds. */
export const BINDING_LIFETIME_SECONDS_MAX = 366 * 24 * 60 * 60
/** A binding has some 350 characters; did:web with a long path more. Characters. */
export const BINDING_CHARACTERS_MAX = 2048

/** Makes a binding in which `person` lets the node `did` speak for it. */
export async function signBinding(
  person: Pick<Identity, 'did' | 'sign'>,
  did: string,
  { iat, exp }: { readonly iat: number; readonly exp: number }
): Promise<string> {
  return await signJwt({ aud: BINDING_AUDIENCE, sub: did, iat, exp }, person)
}
