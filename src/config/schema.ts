/**
 * The configuration schema. A key exists in the daemon exactly if it stands here; docs/config.md is made from this.
 */
import { parseGateway, parseListenAddress, parsePeerAddress } from './addresses.ts'
import { count, decimal, duration, flag, listOf, notYet, oneOf, path, size, wordOr, type Key } from './key.ts'
import { MIB } from '../model/units.ts'

/** One frame of the exchange carries the whole filter, and a frame holds no more. Bytes. */
const ADVERT_BYTES_MAX = 2 * MIB
/** Access levels run from 0 to this. */
const TRUST_MAX = 10

const GATEWAYS = ['https://trustless-gateway.link', 'https://ipfs.io', 'https://dweb.link', 'https://gateway.pinata.cloud']

export const CONFIG_SCHEMA = {
  network: {
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
          doc: 'Peers through which the public swarm is entered. `public`: those of IPFS, once the public swarm is built; nobody until then.',
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
      doc: 'When bootstrap, DHT and public dialling start: `lazy` with the first public request or publish, `true` with the daemon, `false` never. No effect in this version: the public swarm is not built yet.'
    }),
    maxConnections: count({ doc: 'Most connections held; the least useful are closed first.', default: 300, min: 1, max: 100_000 })
  },
  ipfs: {
    type: notYet(
      oneOf(['helia', 'gateway-only'], { doc: 'How IPFS is reached: `helia` embedded, or through gateways alone.' }),
      word => word === 'kubo'
    ),
    timeout: duration({ doc: 'How long one attempt at IPFS may take. 0: as long as the search.', default: '60s' }),
    dht: oneOf(['client', 'off'], {
      doc: 'Whether providers are looked up in the public DHT once the public swarm runs. No effect in this version.'
    })
  },
  gateways: listOf(
    'URL or {url, timeout}',
    {
      doc: 'HTTP gateways, asked last and verified always; `timeout` is 30s unless given. A `url` may be a template with `{cid}`. `[]` turns the stage off.',
      default: GATEWAYS
    },
    parseGateway
  ),
  routing: {
    hedgeDelay: duration({
      doc: 'After this long without a verified byte the next peer is asked as well. 0: only when the one before has failed.',
      default: '250ms'
    }),
    ipfsDelay: duration({ doc: 'Head start of the direct peers before IPFS. 0: none, both start together.', default: '150ms' }),
    gatewayDelay: duration({ doc: 'Head start of all others before gateways. 0: none.', default: '600ms' }),
    maxParallelPeers: count({
      doc: 'Most peers asked at once for one content; 1 is a plain sequential loop.',
      default: 3,
      min: 1,
      max: 64
    }),
    strict: flag({ doc: 'Each stage only after the one before has failed.', default: false })
  },
  privacy: {
    default: oneOf(['private', 'public'], { doc: 'Class of what is put without saying.' }),
    unknown: oneOf(['private', 'public'], { doc: 'Class of a bare hash nobody here knows.' }),
    unknownCid: oneOf(['peers-first', 'public', 'private'], {
      doc: 'Class of a bare CID nobody here knows: `peers-first` asks trusted peers, then everybody; nobody is trusted in this version, so it is as `public`.'
    }),
    serveFetched: oneOf(['trusted', 'anyone'], { doc: 'Who is served what this node merely fetched.' })
  },
  adverts: {
    interval: duration({ doc: 'A changed advert is published at most this often. 0: as soon as changes settle.', default: '30s' }),
    heartbeat: duration({ doc: 'An unchanged advert is published again after this long. 0: never.', default: '5m' }),
    grace: duration({ doc: 'How long an advert outlives its heartbeat.', default: '120s' }),
    falsePositiveRate: decimal({
      doc: 'Share of wrong hits accepted in the filter of an advert.',
      default: 0.001,
      min: 0.000001,
      max: 0.1
    }),
    maxBytes: size({
      doc: 'Largest filter published; what does not fit is left out and the advert says so. 0: as much as is possible.',
      default: '2MiB',
      max: ADVERT_BYTES_MAX
    })
  },
  cache: {
    maxBytes: size({ doc: 'Most bytes kept of what was merely fetched.', default: '10GiB' })
  },
  limits: {
    maxFileSize: size({ doc: 'Largest content put or got.', default: 0 }),
    unconfirmedBytes: size({ doc: 'Most bytes spent on a content hash that no trusted peer has vouched for.', default: '256MiB' }),
    maxConcurrent: count({ doc: 'Retrievals at once; 10,000 more wait.', default: 64, min: 1, max: 10_000 })
  },
  trust: {
    minTrusted: decimal({
      doc: 'From this access level (0–10) on a peer is trusted with what is private. No effect in this version: nobody has a level yet.',
      default: 5,
      min: 0,
      max: TRUST_MAX
    })
  },
  access: {
    socket: notYet(
      oneOf(['admin'], { doc: 'Who may do what on the socket: whoever can open it is the operator.' }),
      word => word === 'token'
    )
  },
  http: {
    listen: notYet(oneOf(['off'], { doc: 'The HTTP listener; it comes later.' }), word => word !== 'off')
  },
  log: {
    level: oneOf(['info', 'trace', 'debug', 'warn', 'error', 'silent'], { doc: 'The least important messages shown.' }),
    format: oneOf(['pretty', 'json'], { doc: 'One line for people, or one JSON object a line.' })
  },
  api: {
    socket: path({ doc: 'Where the socket is, if not `api.sock` in the home; relative to the home. At most 103 bytes.' })
  }
} as const

export type { Key } from './key.ts'

/** A branch of the schema or a key in it. */
export type SchemaNode = Key<unknown> | { readonly [name: string]: SchemaNode }

type ValueOf<N> = N extends Key<infer T> ? T : { readonly [K in keyof N]: ValueOf<N[K]> }

/** The configuration as the daemon uses it: durations in milliseconds, sizes in bytes (Infinity for unlimited). */
export type Config = ValueOf<typeof CONFIG_SCHEMA>

/** Keys of the public contract that no part of this version uses: named in the error, so that nobody hunts for a typo. */
export const LATER_KEYS: readonly string[] = [
  ...['announce', 'relay'].map(name => `network.${name}`),
  ...['api', 'projectId', 'projectSecret', 'delegatedRouters', 'publicGateway', 'swarmAddresses'].map(name => `ipfs.${name}`),
  ...['ranking', 'askUnknownMinTrust'].map(name => `routing.${name}`),
  ...['default', 'maxDepth', 'halfLife'].map(name => `trust.${name}`),
  ...['allowedTypes', 'maxSockets'].map(name => `limits.${name}`),
  ...['gateway', 'metrics', 'rateLimit', 'gatewayConcurrency'].map(name => `http.${name}`),
  'cache.ttl',
  'access.tokens',
  'p2pIpfs',
  'proxy',
  'pinning',
  'swarms',
  'gc',
  'storage',
  'retry'
]
