/** Who can see a node and what they learn, as plain sentences: for its first start and for `kith doctor`. Pure. */
import { isEverybodyTrusted } from './rules.ts'
import type { Config } from './schema.ts'

export interface VisibilityFacts {
  /** Where the node listens, as multiaddrs. Empty: as configured, since it does not run. */
  readonly addresses: readonly string[]
}

/** Who: a word by which lines are told apart; what: a sentence for the operator. */
export interface VisibilityLine {
  readonly who: 'machine' | 'neighbours' | 'peers' | 'strangers' | 'swarm' | 'ipfs' | 'gateways' | 'advice'
  readonly what: string
}

/** Addresses of networks that are nobody else's: from there only neighbours come. */
const NEAR =
  /^\/(?:ip4\/(?:10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)|ip6\/f(?:[cd]|e[89ab]))/i
const HERE = /^\/(?:ip4\/127\.|ip6\/::1\/)/
const ANYWHERE = /^\/(?:ip4\/0\.0\.0\.0|ip6\/::)\//

/** From the nearest to the farthest; nothing is said of what is turned off, unless that is the news. */
export function visibility(config: Config, { addresses }: VisibilityFacts): VisibilityLine[] {
  return [
    listening(config, addresses),
    neighbours(config),
    peers(config),
    strangers(config, addresses),
    swarm(config),
    ipfs(config),
    gateways(config),
    advice(config)
  ].flat()
}

function listening({ network }: Config, addresses: readonly string[]): VisibilityLine[] {
  const all = [...(addresses.length > 0 ? addresses : network.listen), ...network.announce]
  if (all.length === 0) return [{ who: 'machine', what: 'This node takes no connections; it only makes them.' }]
  const line = (who: VisibilityLine['who'], reach: string, found: readonly string[]): VisibilityLine[] =>
    found.length === 0 ? [] : [{ who, what: `${reach}: ${found.map(withoutPeer).join(', ')}` }]
  const rest = all.filter(address => !HERE.test(address))
  return [
    ...line(
      'machine',
      'Programs on this machine reach it at',
      all.filter(address => HERE.test(address))
    ),
    ...line(
      'neighbours',
      'Machines in the same network reach it at',
      rest.filter(address => NEAR.test(address))
    ),
    ...line(
      'strangers',
      'Anybody who can route to this machine reaches it at',
      rest.filter(address => !NEAR.test(address))
    )
  ]
}

function neighbours({ network }: Config): VisibilityLine[] {
  return network.mdns
    ? [{ who: 'neighbours', what: 'It tells the local network that it is here, with its peer id and addresses (network.mdns).' }]
    : []
}

function peers({ trust, network: { relay } }: Config): VisibilityLine[] {
  if (isEverybodyTrusted(trust)) return openToAll(trust, relay.serve)
  const trusted = `peers you gave level ${trust.minTrusted * 10} or more (kith invite, kith join, kith trust set)`
  return [
    {
      who: 'peers',
      what: `What is private here is given to ${trusted}, and to those you share one content with; to nobody else. Whoever connects learns its peer id and addresses.`
    },
    ...(relay.serve
      ? [{ who: 'peers' as const, what: 'If others can reach it, it relays for these peers, and for nobody else (network.relay.serve).' }]
      : [])
  ]
}

function openToAll({ default: access, minTrusted }: Config['trust'], relays: boolean): VisibilityLine[] {
  return [
    {
      who: 'strangers',
      what: `WARNING: everything private here is given to whoever connects and was not blocked or given a lower level: strangers have access ${access} (trust.default), and ${minTrusted} is enough (trust.minTrusted). Whoever connects also learns its peer id and addresses.`
    },
    ...(relays ? [{ who: 'strangers' as const, what: 'If others can reach it, it relays for all of them (network.relay.serve).' }] : [])
  ]
}

function strangers({ network, ipfs: { type }, privacy }: Config, addresses: readonly string[]): VisibilityLine[] {
  const isClosed = network.listen.length > 0 && (addresses.length > 0 ? addresses : network.listen).every(address => HERE.test(address))
  const ways = type === 'helia' ? 'by direct streams and bitswap' : 'by direct streams'
  return [
    {
      who: isClosed ? 'machine' : 'strangers',
      what: `Whoever connects may have what is public here (put with privacy: public, or published), ${ways}, and sees from its advert which public content that is.`
    },
    ...(privacy.serveFetched === 'anyone'
      ? [
          {
            who: 'strangers' as const,
            what: 'They may also have what was merely fetched here, and so learn what is read (privacy.serveFetched).'
          }
        ]
      : []),
    ...(privacy.default === 'public'
      ? [{ who: 'strangers' as const, what: 'What is put without saying is public (privacy.default).' }]
      : [])
  ]
}

function swarm({ network, ipfs: { type, dht } }: Config): VisibilityLine[] {
  if (network.publicSwarm === false || type !== 'helia') return [{ who: 'swarm', what: 'It does not enter the public IPFS swarm.' }]
  const when = network.publicSwarm === true ? 'From its start' : 'With the first public request or publish, not before,'
  const routing = dht === 'client' ? ', and the DHT learns which public content it looks for and has' : ''
  return [{ who: 'swarm', what: `${when} it enters the public IPFS swarm: peers there see its addresses${routing} (network.publicSwarm).` }]
}

function ipfs({ ipfs: { type, api } }: Config): VisibilityLine[] {
  return type === 'kubo'
    ? [{ who: 'ipfs', what: `The IPFS node at ${api.join(', ')} learns what public content is asked for, and its peers may.` }]
    : []
}

function gateways({ gateways: list, privacy }: Config): VisibilityLine[] {
  if (list.length === 0) return [{ who: 'gateways', what: 'No gateway is asked for anything.' }]
  const bare = privacy.unknownCid === 'private' ? '' : ', bare CIDs that nobody here knows among it'
  return [
    { who: 'gateways', what: `These learn, last of all, what public content is asked for${bare}: ${list.map(({ url }) => url).join(', ')}` }
  ]
}

function advice({ network, gateways: list, privacy }: Config): VisibilityLine[] {
  const isPrivate = network.publicSwarm === false && list.length === 0 && privacy.unknownCid === 'private'
  return isPrivate
    ? []
    : [{ who: 'advice', what: 'To keep everything among your own: start it with configs/private.yaml, or set what that file sets.' }]
}

function withoutPeer(address: string): string {
  const place = address.replace(/\/p2p\/[A-Za-z0-9]+$/, '')
  return ANYWHERE.test(place) ? `${place} (every interface)` : place
}
