/** What the RPC table needs for peers as people: trust, pairing, routes, capabilities, topics. Types only. */
import type { PrivacyDecision } from '../model/privacy.ts'
import type { PreferredSource } from '../model/source.ts'
import type { Bytes, Ms } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { AdvertInfo, ContentParam } from './services.ts'

export interface TrustEntry {
  readonly did: string
  readonly name?: string
  /** 0–100 as the operator set it; absent: never set. */
  readonly level?: number
  /** A, 0–10. */
  readonly access: number
  /** T, −5 to 10. */
  readonly effective: number
  readonly blocked: boolean
  /** The chains of asserters that were weighed, best first: `[{through: [did…], trust}]`. */
  readonly paths: readonly { readonly through: readonly string[]; readonly trust: number }[]
  /** −5 to 0. */
  readonly behaviour: number
  /** Offences counted, by name. */
  readonly offences?: Readonly<Record<string, number>>
  /** ISO 8601; while it is in the future the peer is asked and served nothing. */
  readonly suspendedUntil?: string
  /** Why it is neither asked nor served; absent if it is. */
  readonly note?: string
}

export interface TrustServices {
  set(params: { readonly did: string; readonly level: number; readonly name?: string }): Promise<TrustEntry>
  get(did: string): Promise<TrustEntry>
  list(): Promise<{ items: TrustEntry[] }>
  /** Signs an assertion about `did` and hands it to `to` (connected ones at once, others when they connect). */
  assert(
    params: {
      readonly did: string
      /** Absent: the level that was set for it. */
      readonly level?: number
      readonly context?: string
      /** A duration such as `90d`. */
      readonly expires?: string
      /** Absent: everybody with A ≥ `trust.minTrusted`. */
      readonly to?: readonly string[]
    },
    options: AbortOptions
  ): Promise<{ jwt: string; delivery: Readonly<Record<string, string>> }>
  /** Takes back what this node asserted about `did`, and what it set: A becomes 0, the level is forgotten. */
  revoke(params: { readonly did: string; readonly to?: readonly string[] }, options: AbortOptions): Promise<TrustEntry>
  block(did: string): Promise<TrustEntry>
  unblock(did: string): Promise<TrustEntry>
}

export interface ShownTicket {
  readonly ticket: string
  /** The ticket as a QR code for a terminal. */
  readonly qr: string
  /** ISO 8601. */
  readonly expires: string
}

export interface PairingServices {
  invite(params: {
    readonly level?: number
    readonly expires?: string
    readonly uses?: number
    readonly device?: boolean
    readonly swarm?: string
    readonly content?: ContentParam
    readonly name?: string
  }): Promise<ShownTicket>
  /** Takes a ticket back. False if it was not made here, or long ago. */
  uninvite(ticket: string): Promise<{ revoked: boolean }>
  join(
    params: { readonly ticket: string; readonly level?: number; readonly device?: boolean },
    options: AbortOptions
  ): Promise<{
    peerId: string
    did: string
    via: 'direct' | 'relayed'
    access: number
    granted?: number
    device?: 'agreed' | 'offered'
    swarm?: string
    content?: string
  }>
  share(params: { readonly content: ContentParam; readonly to?: readonly string[]; readonly expires?: string }): Promise<ShownTicket>
}

/** Shapes of `route.*`, see the contract; made from the same plan that `content.get` carries out. */
export interface RouteCandidate {
  readonly stage: string
  readonly peer?: string
  readonly did?: string
  readonly name?: string
  readonly url?: string
  readonly eligible: boolean
  readonly reason?: string
  readonly note?: string
  readonly claim: 'yes' | 'no' | 'unknown'
  readonly access: number
  readonly trust: number
  readonly score: number
  readonly terms: Readonly<Record<string, number>>
  readonly expectedMs: Ms | null
}

export interface RouteExplanation {
  readonly content: string
  readonly privacy: PrivacyDecision
  readonly classes: readonly string[]
  readonly stages: readonly { readonly stage: string; readonly startsAfterMs: Ms | null; readonly reason?: string }[]
  readonly candidates: readonly RouteCandidate[]
}

export interface RouteParams {
  readonly content: ContentParam
  readonly preferredSources?: readonly PreferredSource[]
  readonly metadata?: { readonly privacy?: 'public' | 'private'; readonly size?: number; readonly contentType?: string }
  /** Name of the access token that asks; absent: the operator. Never taken from a request. */
  readonly by?: string
}

export interface RouteServices {
  explain(params: RouteParams, options: AbortOptions): Promise<RouteExplanation>
  best(params: RouteParams, options: AbortOptions): Promise<RouteCandidate | null>
}

/** What a peer answered when it was asked directly: its advert, what it does for this node, what it speaks, who speaks for it. */
export interface CapabilitiesInfo extends AdvertInfo {
  readonly ipfsNode: AdvertInfo['ipfsNode'] & { readonly publicGateway?: string; readonly swarmAddresses?: readonly string[] }
  /** Bytes a second it gives at most; absent: nothing said. */
  readonly bandwidthLimit?: number
  /** What it fetches for this node through its own IPFS; absent: nothing. */
  readonly proxy?: { readonly maxBytes: number; readonly quotaBytesPerDay: number; readonly maxConcurrent: number }
  readonly version: string
  readonly protocols: readonly string[]
  /** DIDs that speak for it, verified. */
  readonly bindings: readonly { readonly did: string; readonly expires: string }[]
}

export interface CapabilityServices {
  /** Publishes the own advert now; answers what it says. */
  publish(): Promise<AdvertInfo>
  /** Asks the peer itself; what it answers is signed by it and checked. */
  query(peer: string, options: AbortOptions): Promise<CapabilitiesInfo>
}

export interface PubsubServices {
  /** Who listens with `sender` as owner does not hear of it. */
  publish(params: {
    readonly topic: string
    readonly data: Uint8Array
    readonly swarm?: string
    readonly sender?: object
  }): Promise<{ peers: number }>
  /** `receive` is called for each message of the topic until the returned function is called. */
  subscribe(
    topic: string,
    receive: (message: { readonly from: string; readonly did: string; readonly data: Uint8Array }) => void,
    owner?: object
  ): () => void
}

export interface RelayState {
  /** Whether it relays for the peers it trusts: it is set to, and nobody found that it cannot be dialled. */
  readonly serves: boolean
  /** Peers reached through here. */
  readonly reservations: number
  readonly bytesToday: Bytes
  /** 0: no limit. */
  readonly maxBytesPerDay: Bytes
  /** Peers through which this node is reached. */
  readonly relays: readonly string[]
  /** Peers that are connected through a relay only, and why. */
  readonly relayed: readonly { readonly peer: string; readonly address: string; readonly why: string }[]
}
