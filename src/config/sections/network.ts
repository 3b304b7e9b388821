/** The configuration of what reaches beyond this machine: the host, IPFS, gateways. */
import { parseAnnouncedAddress, parseApiAddress, parseGateway, parseListenAddress, parsePeerAddress, parseUrl } from '../addresses.ts'
import { count, duration, flag, listOf, oneOf, optional, size, text, wordOr } from '../key.ts'

const GATEWAYS = ['https://trustless-gateway.link', 'https://ipfs.io', 'https://dweb.link', 'https://gateway.pinata.cloud']

export const NETWORK = {
  listen: listOf(
    'address',
    {
      doc: 'Where to take connections: one address or several, `[]` for none. Port 0 is drawn once and kept in the home.',
      default: '/ip4/0.0.0.0/tcp/0'
    },
    parseListenAddress
  ),
  bootstrap: wordOr(
    'public',
    listOf(
      'peer address',
      {
        doc: 'Peers through which the public swarm is entered when it starts. `public`: those of IPFS. `[]`: nobody.',
        default: 'public'
      },
      parsePeerAddress
    )
  ),
  peering: listOf(
    'peer address',
    { doc: 'Peers kept connected: dialled at start and again after every loss.', default: [] },
    parsePeerAddress
  ),
  mdns: flag({ doc: 'Find peers in the local network.', default: true }),
  publicSwarm: oneOf(['lazy', true, false], {
    doc: 'When bootstrap, DHT and public dialling start: `lazy` with the first public request or publish, `true` with the daemon, `false` never.'
  }),
  maxConnections: count({
    doc: 'Most connections held; the least useful are closed first. Strangers that dial in leave a quarter of them, at most 100, to own people.',
    default: 300,
    min: 1,
    max: 100_000
  }),
  relay: {
    use: flag({ doc: 'Be reached through a relay among the peers one trusts.', default: true }),
    serve: flag({ doc: 'Relay for trusted peers when this node can be reached.', default: true }),
    maxBytesPerDay: size({ doc: 'Most bytes relayed for others in a day.', default: '10GiB' })
  },
  announce: listOf(
    'address',
    { doc: 'Addresses told to others in place of those found: of a router that forwards a port, or a name.', default: [] },
    parseAnnouncedAddress
  )
} as const

export const IPFS = {
  type: oneOf(['helia', 'kubo', 'gateway-only'], {
    doc: 'How IPFS is reached: `helia` embedded, `kubo` through the RPC API of another IPFS node, or through gateways alone.'
  }),
  api: listOf(
    'URL or address',
    {
      doc: 'Where the IPFS nodes of `ipfs.type: kubo` take calls: URLs or multiaddrs. Of several the healthy one with the fewest requests in flight is asked, the next at once when it fails.',
      default: '/ip4/127.0.0.1/tcp/5001'
    },
    parseApiAddress
  ),
  timeout: duration({ doc: 'How long one attempt at IPFS may take. 0: as long as the search.', default: '60s' }),
  projectId: text({ doc: 'User name of the basic authentication at `ipfs.api`; goes with `ipfs.projectSecret`.' }),
  projectSecret: text({ doc: 'Its password. Better given by `IPFS_PROJECT_SECRET` than by a file.', secret: true }),
  dht: oneOf(['client', 'off'], { doc: 'Whether providers are looked up in the public DHT, and told, once the public swarm runs.' }),
  delegatedRouters: listOf('URL', { doc: 'HTTP routers asked for providers beside the DHT.', default: [] }, parseUrl),
  publicGateway: optional('URL', { doc: 'Public HTTP gateway of this node, told in its advert.' }, parseUrl),
  swarmAddresses: listOf(
    'address',
    { doc: 'Addresses of the IPFS node behind `ipfs.api`, told in the advert.', default: [] },
    parsePeerAddress
  )
} as const

export const GATEWAY_LIST = listOf(
  'URL or {url, timeout}',
  {
    doc: 'HTTP gateways, asked last and verified always; `timeout` is 30s unless given. A `url` may be a template with `{cid}`. `[]` turns the stage off.',
    default: GATEWAYS
  },
  parseGateway
)
