/**
 * The door to the inside of `@helia/bitswap`: its message transport and its stream of answers. Kith keeps its own
 * wants (docs/decisions/0006): the package never sends a cancel, broadcasts every want as WANT-BLOCK, and cannot
 * say "nobody has it". Everything that is not public API of the package is reached through this file only.
 */
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** The one version Helia dials. */
export const BITSWAP_PROTOCOL = '/ipfs/bitswap/1.2.0'

/** Protobuf enum of the protocol, spelled as the package spells it. */
export type WantType = 'WantBlock' | 'WantHave'
export type PresenceType = 'HaveBlock' | 'DoNotHaveBlock'

export interface WantEntry {
  readonly cid: Uint8Array
  priority: number
  cancel?: boolean
  wantType?: WantType
  sendDontHave?: boolean
}

/** A message in the form the package's send queue merges and splits; keys are base64 multihashes with a prefix. */
export interface WireMessage {
  full: boolean
  pendingBytes: number
  readonly wantlist: Map<string, WantEntry>
  readonly blocks: Map<string, { readonly prefix: Uint8Array; readonly data: Uint8Array }>
  readonly blockPresences: Map<string, { readonly cid: Uint8Array; readonly type: PresenceType }>
}

/** An answer: HAVE, DONT_HAVE, or the block itself (its CID was computed from the bytes). */
export interface Presence {
  readonly sender: PeerId
  readonly cid: CID
  readonly has: boolean
  readonly block?: Uint8Array
}

/** What arrives from a peer, as far as serving it is concerned. */
export interface IncomingMessage {
  readonly wantlist?: { readonly full?: boolean; readonly entries: readonly WantEntry[] }
}

/** The parts of a started `Bitswap` that are used. */
export interface BitswapWire {
  readonly network: { sendMessage(peer: PeerId, message: WireMessage, options?: { readonly signal?: AbortSignal }): Promise<void> }
  readonly wantList: { addEventListener(type: 'presence', listener: (event: { readonly detail: Presence }) => void): void }
  readonly peerWantLists: {
    receiveMessage(peer: PeerId, message: IncomingMessage): void
    receivedBlock(cid: CID): Promise<void>
    peerDisconnected(peer: PeerId): void
    stop(): void
  }
}

export function emptyMessage(): WireMessage {
  return { full: false, pendingBytes: 0, wantlist: new Map(), blocks: new Map(), blockPresences: new Map() }
}

/**
 * The bitswap of a started Helia.
 *
 * @throws Error when the installed package no longer has the shape this adapter was written for
 */
export function bitswapOf(helia: object): BitswapWire {
  const brokers: unknown = Reflect.get(helia, 'blockBrokers')
  const broker: unknown = Array.isArray(brokers) ? brokers.find(one => field(one, 'name') === 'bitswap') : undefined
  const bitswap = field(broker, 'bitswap')
  if (!isWire(bitswap)) throw new Error('the installed @helia/bitswap has another shape than the one this adapter was written for')
  return bitswap
}

function isWire(value: unknown): value is BitswapWire {
  const lists = field(value, 'peerWantLists')
  return (
    isMethod(field(value, 'network'), 'sendMessage') &&
    isMethod(field(value, 'wantList'), 'addEventListener') &&
    ['receiveMessage', 'receivedBlock', 'peerDisconnected', 'stop'].every(name => isMethod(lists, name))
  )
}

function isMethod(value: unknown, name: string): boolean {
  return typeof field(value, name) === 'function'
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
