/** `kith peers` and `kith adverts`: who is out there and what they say they have. */
import type { PeerInfo } from '../rpc/services.ts'
import { usage } from './arguments.ts'
import type { CommandContext } from './command.ts'
import { waitSignal } from './search-options.ts'
import { formatBytes, formatMs, printable, table } from './text.ts'

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
  const client = await context.client()
  const { items } = await client.call('adverts.list', {}, { signal: waitSignal(context) })
  context.print({ items }, () =>
    items.length === 0
      ? 'no peer has said what it has'
      : table(
          ['peer', 'entries', 'issued', 'expires', 'ipfs'],
          items.map(advert => [
            advert.peerId,
            advert.count,
            advert.issuedAt,
            advert.expires,
            advert.ipfsNode.enabled ? advert.ipfsNode.type : 'off'
          ])
        )
  )
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
    peer.name ?? '',
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
