/** `adverts.publish` and `capabilities.query`: what this node says about itself, and what a peer says when asked directly. */
import type { AdvertPublisher } from '../adverts/publisher.ts'
import { readPeerCapabilities } from '../adverts/capabilities.ts'
import { KithError } from '../errors.ts'
import type { Bindings } from '../peers/bindings.ts'
import { didFromPeerId, peerIdFromDid } from '../peers/did-key.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Clock } from '../ports/clock.ts'
import type { ExchangeClient } from '../ports/exchange.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { CapabilitiesInfo, CapabilityServices } from '../rpc/services-people.ts'

export interface CapabilityServicesComponents {
  readonly network: Pick<Network, 'self' | 'isConnected'>
  readonly clock: Clock
  readonly publisher: Pick<AdvertPublisher, 'publishNow'>
  readonly bindings: Pick<Bindings, 'take'>
  readonly exchange: Pick<ExchangeClient, 'capabilities'>
}

export function capabilityServices(parts: CapabilityServicesComponents): CapabilityServices {
  return {
    publish: async () => await parts.publisher.publishNow(),
    query: async (peer, options) => await query(parts, resolvePeer(peer), options)
  }
}

async function query(parts: CapabilityServicesComponents, peer: string, options: AbortOptions): Promise<CapabilitiesInfo> {
  const { network, clock, bindings, exchange } = parts
  if (!network.isConnected(peer))
    throw new KithError('UNAVAILABLE', `${peer} is not connected. kith peers shows who is; kith peers connect ADDRESS connects.`, { peer })
  const answer = await exchange.capabilities(peer, options).catch((error: unknown) => {
    throw unanswered(peer, error)
  })
  const said = await readPeerCapabilities(peer, answer, { self: network.self, clock })
  const bound = await bindings.take(peer, said.bindings, options)
  const { caps, proxy } = said
  return {
    did: said.did,
    peerId: peer,
    seq: said.seq,
    issuedAt: isoOf(said.issuedAt),
    expires: isoOf(said.expires),
    count: caps.contentIndex.count,
    truncated: caps.contentIndex.truncated,
    ipfsNode: caps.ipfsNode,
    ...(caps.bandwidthLimit === undefined ? {} : { bandwidthLimit: caps.bandwidthLimit }),
    ...(proxy === undefined ? {} : { proxy }),
    version: said.version,
    protocols: said.protocols,
    bindings: bound.map(({ did, expires }) => ({ did, expires: isoOf(expires) }))
  }
}

function unanswered(peer: string, error: unknown): unknown {
  if (!(error instanceof SourceError)) return error
  const code = error.outcome === 'timeout' ? 'TIMEOUT' : 'UNAVAILABLE'
  return new KithError(
    code,
    `${peer} did not say what it can do: ${error.message}. It may be an older version, or tell this node nothing`,
    { peer },
    { cause: error }
  )
}

function resolvePeer(peer: string): string {
  try {
    return peer.startsWith('did:') ? peerIdFromDid(peer) : peerIdFromDid(didFromPeerId(peer))
  } catch (error) {
    throw new KithError('INVALID_PARAMS', `"${peer}" is neither a PeerId (12D3Koo…) nor a DID (did:key:z6Mk…)`, { peer }, { cause: error })
  }
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
