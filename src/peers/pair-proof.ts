/**
 * The proofs of a pairing: HMAC-SHA-256 under a key made from the ticket's secret, over both PeerIds and a word for the
 * direction, so that no proof serves another peer or can be sent back. Comparing takes the same time whatever differs. Pure.
 */
import { fromString } from 'uint8arrays'
import type { Bytes } from '../model/units.ts'

export const PROOF_BYTES: Bytes = 32
/** By which the maker finds the invitation: it tells nothing of the secret. */
export const INVITATION_ID_BYTES: Bytes = 16

export type Direction = 'join' | 'invite'

export interface PairOf {
  /** PeerIds. */
  readonly joiner: string
  readonly inviter: string
}

/** What the maker of a ticket keeps in place of the secret. */
export interface TicketKey {
  readonly id: Uint8Array
  readonly key: Uint8Array
}

export async function ticketKey(secret: Uint8Array): Promise<TicketKey> {
  const [id, key] = await Promise.all([hmac(secret, 'kith/pair/1 id'), hmac(secret, 'kith/pair/1 key')])
  return { id: id.subarray(0, INVITATION_ID_BYTES), key }
}

export async function prove(key: Uint8Array, direction: Direction, pair: PairOf): Promise<Uint8Array> {
  return await hmac(key, statement(direction, pair))
}

export async function isProof(key: Uint8Array, direction: Direction, pair: PairOf, proof: Uint8Array): Promise<boolean> {
  return await crypto.subtle.verify('HMAC', await imported(key), new Uint8Array(proof), fromString(statement(direction, pair)))
}

/** PeerIds hold no NUL. */
function statement(direction: Direction, { joiner, inviter }: PairOf): string {
  return ['kith/pair/1', direction, joiner, inviter].join('\u0000')
}

async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', await imported(key), fromString(text)))
}

async function imported(key: Uint8Array): Promise<CryptoKey> {
  return await crypto.subtle.importKey('raw', new Uint8Array(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}
