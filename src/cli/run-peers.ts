/** `kith peers` and `kith adverts`: who is out there and what they say they have. */
import type { AdvertInfo, PeerInfo } from '../rpc/services.ts'
import type { CapabilitiesInfo } from '../rpc/services-people.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { cut, formatBytes, formatMs, printable, table } from './text.ts'

/** Widest name in the table; peers.list has it whole. */
const NAME_COLUMNS_MAX = 32

export async function peers(context: CommandContext): Promise<void> {
  const [action, target] = context.words
  if (action === undefined) return await list(context)
  if (target === undefined)
    throw usage(`name ${action === 'connect' ? 'an address' : 'a peer'}: kith peers ${action} ${action === 'connect' ? 'ADDRESS' : 'PEER'}`)
  const client = await context.client()
  const options = { signal: waitSignal(context) }
  if (action === 'connect') {
    const peer = await client.call('peers.connect', { address: target }, options)
    context.print(peer, () => `connected to ${printable(peer.peerId)} at ${printable(peer.address)}`)
  } else if (action === 'disconnect') {
    context.print(await client.call('peers.disconnect', { peer: target }, options), () => `disconnected from ${printable(target)}`)
  } else {
    const { latencyMs } = await client.call('peers.ping', { peer: target }, options)
    context.print({ latencyMs }, () => `${latencyMs.toFixed(1)} ms`)
  }
}

export async function adverts(context: CommandContext): Promise<void> {
  const [action, target] = context.words
  if (action === 'query' && target === undefined) throw usage('name a peer: kith adverts query PEER')
  if (action === 'publish' && target !== undefined) throw usage(`"${target}" is too much: kith adverts publish`)
  const client = await context.client()
  const options = { signal: waitSignal(context) }
  if (action === 'publish') {
    const own = await client.call('adverts.publish', {}, options)
    context.print(own, () => `published: ${own.count} entries${own.truncated ? ', not all' : ''}, valid until ${own.expires}`)
  } else if (action === 'query' && target !== undefined) {
    const said = await client.call('capabilities.query', { peer: target }, options)
    context.print(said, () => table(['about', said.peerId], capabilityRows(said)))
  } else {
    const { items } = await client.call('adverts.list', {}, options)
    context.print({ items }, () => (items.length === 0 ? 'no peer has said what it has' : advertTable(items)))
  }
}

function advertTable(items: readonly AdvertInfo[]): string {
  return table(
    ['peer', 'entries', 'issued', 'expires', 'ipfs'],
    items.map(advert => [advert.peerId, advert.count, advert.issuedAt, advert.expires, ipfsOf(advert)])
  )
}

function capabilityRows({ did, version, proxy, bandwidthLimit, bindings, protocols, ...said }: CapabilitiesInfo): (string | number)[][] {
  return [
    ['did', printable(did)],
    ['speaks for it', bindings.length === 0 ? 'nobody else' : printable(bindings.map(binding => binding.did).join(', '))],
    ['version', printable(version)],
    ['protocols', printable(protocols.join(', '))],
    ['entries', `${said.count}${said.truncated ? ', not all' : ''}`],
    ['ipfs', ipfsOf(said)],
    ['gateway', printable(said.ipfsNode.publicGateway ?? '-')],
    ['gives at most', bandwidthLimit === undefined ? '-' : `${formatBytes(bandwidthLimit)}/s`],
    [
      'fetches for this node',
      proxy === undefined ? 'nothing' : `${formatBytes(proxy.maxBytes)} each, ${formatBytes(proxy.quotaBytesPerDay)} a day`
    ]
  ]
}

function ipfsOf({ ipfsNode }: Pick<AdvertInfo, 'ipfsNode'>): string {
  return ipfsNode.enabled ? printable(ipfsNode.type) : 'off'
}

async function list(context: CommandContext): Promise<void> {
  const client = await context.client()
  const items: PeerInfo[] = []
  let cursor: string | undefined
  do {
    const page = await client.call('peers.list', cursor === undefined ? {} : { cursor }, { signal: waitSignal(context) })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined)
  context.print({ items }, () =>
    items.length === 0
      ? 'no peers yet; kith peers connect ADDRESS makes one'
      : table(['peer', 'name', 'connected', 'access', 'trust', 'latency', 'rate', 'ipfs', 'advert', 'remark'], items.map(peerRow))
  )
}

function peerRow(peer: PeerInfo): (string | number)[] {
  const { latencyMs, bandwidthBytesPerSecond: rate, advert } = peer
  return [
    peer.peerId,
    cut(peer.name ?? '', NAME_COLUMNS_MAX),
    peer.connected ? (peer.via ?? 'yes') : 'no',
    peer.access,
    peer.trust,
    latencyMs === null ? '-' : formatMs(latencyMs),
    rate === null ? '-' : `${formatBytes(Math.round(rate))}/s`,
    peer.hasIpfs ? 'yes' : 'no',
    advert === undefined ? '-' : `${advert.count} entries`,
    peer.note ?? ''
  ]
}
