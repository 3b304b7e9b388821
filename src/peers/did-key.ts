/**
 * did:key and PeerId are two spellings of one Ed25519 public key: the conversions, pure and strict.
 * Exactly one spelling of each key is accepted, so that a DID or PeerId can be a map key.
 */
import { base58btc } from 'multiformats/bases/base58'
import { concat, equals } from 'uint8arrays'
import { KithError } from '../errors.ts'

/** Raw Ed25519 public key. Bytes. */
const KEY_BYTES = 32
/** Longest text looked at: a well-formed one has 56 characters at most; base58 decoding is quadratic. */
const TEXT_CHARACTERS_MAX = 64

/** `did:key` is multicodec 0xed as a varint, then the key. */
const DID_PREFIX = Uint8Array.of(0xed, 0x01)
/** A PeerId is an identity multihash (0x00, 36 bytes) of the protobuf {type: Ed25519, key}. */
const PEER_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** @throws KithError INVALID_PARAMS unless `raw` has 32 bytes */
export function didFromPublicKey(raw: Uint8Array): string {
  return `did:key:${base58btc.encode(concat([DID_PREFIX, checkedKey(raw)]))}`
}

/**
 * The raw Ed25519 public key (32 bytes) a did:key stands for.
 *
 * @throws KithError INVALID_PARAMS for anything but `did:key:z6Mk…` of an Ed25519 key, without fragment
 */
export function publicKeyFromDid(did: string): Uint8Array {
  const key = did.startsWith('did:key:z') ? keyAfter(DID_PREFIX, did.slice('did:key:'.length)) : undefined
  if (key === undefined) throw malformed(did, 'is not a did:key of an Ed25519 key', 'did:key:z6Mk…')
  return key
}

/** @throws KithError INVALID_PARAMS unless `raw` has 32 bytes */
export function peerIdFromPublicKey(raw: Uint8Array): string {
  return base58btc.encode(concat([PEER_PREFIX, checkedKey(raw)])).slice(1)
}

/**
 * The raw Ed25519 public key (32 bytes) inside a PeerId.
 *
 * @throws KithError INVALID_PARAMS for anything but the base58 form (`12D3KooW…`) of an Ed25519 PeerId
 */
export function publicKeyFromPeerId(peerId: string): Uint8Array {
  const key = keyAfter(PEER_PREFIX, `z${peerId}`)
  if (key === undefined) throw malformed(peerId, 'is not the PeerId of an Ed25519 key', '12D3KooW…')
  return key
}

/** @throws KithError INVALID_PARAMS, see {@link publicKeyFromPeerId} */
export function didFromPeerId(peerId: string): string {
  return didFromPublicKey(publicKeyFromPeerId(peerId))
}

/** @throws KithError INVALID_PARAMS, see {@link publicKeyFromDid} */
export function peerIdFromDid(did: string): string {
  return peerIdFromPublicKey(publicKeyFromDid(did))
}

function checkedKey(raw: Uint8Array): Uint8Array {
  if (raw.byteLength !== KEY_BYTES)
    throw new KithError('INVALID_PARAMS', `an Ed25519 public key has ${KEY_BYTES} bytes, not ${raw.byteLength}`)
  return raw
}

function keyAfter(prefix: Uint8Array, multibase: string): Uint8Array | undefined {
  const bytes = decodeCanonical(multibase)
  if (bytes === undefined || bytes.byteLength !== prefix.byteLength + KEY_BYTES) return undefined
  return equals(bytes.subarray(0, prefix.byteLength), prefix) ? bytes.slice(prefix.byteLength) : undefined
}

/** Undefined for what is no base58, or not the one spelling an encoder gives. */
function decodeCanonical(multibase: string): Uint8Array | undefined {
  if (multibase.length > TEXT_CHARACTERS_MAX) return undefined
  try {
    const bytes = base58btc.decode(multibase)
    return base58btc.encode(bytes) === multibase ? bytes : undefined
  } catch {
    return undefined
  }
}

function malformed(text: string, why: string, example: string): KithError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return new KithError('INVALID_PARAMS', `"${shown}" ${why}. It looks like ${example}`)
}
