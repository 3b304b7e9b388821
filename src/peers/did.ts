/**
 * DIDs as people write them, brought to the one spelling that may be a map key: a PeerId becomes its did:key; did:key
 * is checked down to the key, did:web (a person's) in its form. Pure.
 */
import { KithError } from '../errors.ts'
import { didFromPeerId, peerIdFromDid, publicKeyFromDid } from './did-key.ts'

/** A host name and a few path segments; longer ones are nobody's. Characters. */
const DID_CHARACTERS_MAX = 256
/** Host in lower case, `%3A` before a port, then path segments. */
const DID_WEB = /^did:web:(?:[a-z0-9.-]|%3A)+(?::[A-Za-z0-9._%-]+)*$/

/** @throws KithError INVALID_PARAMS for anything but a PeerId, a did:key of an Ed25519 key or a did:web */
export function parseDid(text: string): string {
  if (!text.startsWith('did:')) return didFromPeerId(text)
  if (text.startsWith('did:key:')) {
    publicKeyFromDid(text)
    return text
  }
  if (text.length <= DID_CHARACTERS_MAX && DID_WEB.test(text)) return text
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
  throw new KithError(
    'INVALID_PARAMS',
    `"${shown}" is no DID that is understood here. Give did:key:z6Mk…, did:web:example.org or a PeerId (12D3KooW…).`
  )
}

/** The node a DID is the key of; undefined for a person's DID. */
export function nodeOf(did: string): string | undefined {
  return did.startsWith('did:key:') ? peerIdFromDid(did) : undefined
}
