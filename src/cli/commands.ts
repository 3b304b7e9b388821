/** All commands of `kith`: names, help, options, and where the code is. */
import type { Command, OptionSpec } from './command.ts'
import { ID_COMMANDS } from './commands-id.ts'
import { PAIRING_COMMANDS } from './commands-pairing.ts'
import { PUBSUB_COMMANDS } from './commands-pubsub.ts'
import { ROUTE_COMMANDS } from './commands-route.ts'
import { TRUST_COMMANDS } from './commands-trust.ts'
import { SOURCE_OPTIONS } from './source-options.ts'

export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  json: { doc: 'print one JSON object (streams: one a line); errors too' },
  home: { doc: 'home directory of the daemon (default: KITH_HOME, else ~/.kith)', value: 'DIR' },
  socket: { doc: 'socket of the daemon (default: HOME/api.sock)', value: 'PATH' },
  timeout: { doc: 'how long to search or wait, such as 30s or 2m', value: 'DURATION' },
  help: { doc: 'show this help', short: 'h' }
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  put: {
    summary: 'store a file, a directory or standard input; prints its address',
    usage: 'FILE|DIR|-',
    example: 'kith put --privacy public report.pdf',
    options: {
      name: { doc: 'file name to record', value: 'NAME' },
      type: { doc: 'free word for listing and policies', value: 'WORD' },
      'content-type': { doc: 'media type', value: 'TYPE' },
      privacy: { doc: 'public or private (default)', value: 'CLASS' },
      'no-pin': { doc: 'do not keep it for good' }
    },
    words: [1, 1],
    load: async () => (await import('./run-put.ts')).put
  },
  get: {
    summary: 'get content into a file or directory; never overwrites',
    usage: 'CONTENT|TICKET [-o FILE]',
    example: 'kith get -o report.pdf kith://bafy…',
    options: {
      output: { doc: 'where to; - is standard output (default: its name or CID, here)', short: 'o', value: 'FILE' },
      ...SOURCE_OPTIONS
    },
    words: [1, 1],
    load: async () => (await import('./run-get.ts')).get
  },
  cat: {
    summary: 'write content to standard output',
    usage: 'CONTENT',
    example: 'kith cat kith://bafy… | tar x',
    options: SOURCE_OPTIONS,
    words: [1, 1],
    load: async () => (await import('./run-get.ts')).cat
  },
  stat: {
    summary: 'what is recorded here about a content',
    usage: 'CONTENT',
    example: 'kith stat kith://bafy…',
    words: [1, 1],
    load: async () => (await import('./run-content.ts')).stat
  },
  ls: {
    summary: 'list a directory, or all content recorded here',
    usage: '[CONTENT]',
    example: 'kith ls kith://bafy…',
    words: [0, 1],
    load: async () => (await import('./run-content.ts')).ls
  },
  rm: {
    summary: 'forget a content',
    usage: 'CONTENT',
    example: 'kith rm --force kith://bafy…',
    options: { force: { doc: 'even if it is pinned', short: 'f' } },
    words: [1, 1],
    load: async () => (await import('./run-content.ts')).rm
  },
  privacy: {
    summary: 'whether a content is public here, why, and who was told of it',
    usage: 'CONTENT',
    example: 'kith privacy bafy…',
    words: [1, 1],
    load: async () => (await import('./run-content.ts')).privacy
  },
  link: {
    summary: 'addresses of a public content to hand out',
    usage: 'CONTENT [--filename NAME] [--download]',
    example: 'kith link --filename report.pdf ipfs://bafy…',
    options: {
      filename: { doc: 'what a browser calls it', value: 'NAME' },
      download: { doc: 'a browser saves it instead of showing it' }
    },
    words: [1, 1],
    load: async () => (await import('./run-car.ts')).link
  },
  export: {
    summary: 'write content with all its blocks into a CAR file',
    usage: 'CONTENT [-o FILE.car]',
    example: 'kith export -o report.car kith://bafy…',
    options: { output: { doc: 'the file, which must not exist (default: CID.car, here)', short: 'o', value: 'FILE' } },
    words: [1, 1],
    load: async () => (await import('./run-car.ts')).exportCar
  },
  import: {
    summary: 'store what a CAR file holds; prints its roots',
    usage: 'FILE.car [--privacy CLASS]',
    example: 'kith import --privacy public report.car',
    options: { privacy: { doc: 'public or private (default)', value: 'CLASS' } },
    words: [1, 1],
    load: async () => (await import('./run-car.ts')).importCar
  },
  verify: {
    summary: 'read stored blocks and compare them with their addresses; fails if any is damaged',
    usage: '[CONTENT] [--repair]',
    example: 'kith verify --repair',
    options: { repair: { doc: 'fetch again what is corrupt or missing' } },
    words: [0, 1],
    load: async () => (await import('./run-car.ts')).verify
  },
  ...ROUTE_COMMANDS,
  ...PAIRING_COMMANDS,
  ...ID_COMMANDS,
  status: {
    summary: 'how this node fares',
    usage: '',
    example: 'kith status',
    words: [0, 0],
    load: async () => (await import('./run-node.ts')).status
  },
  doctor: {
    summary: 'what is wrong here and what to do about it; also without a daemon',
    usage: '[--network] [--config FILE]',
    example: 'kith doctor --network',
    options: {
      network: { doc: 'also ask the gateways and IPFS nodes beyond this machine whether they answer' },
      config: { doc: 'the file kithd is started with (default: HOME/config.yaml)', value: 'FILE' }
    },
    words: [0, 0],
    load: async () => (await import('./doctor/doctor.ts')).doctor
  },
  events: {
    summary: 'what happens at this node, as it happens',
    usage: '[--types LIST] [--since N]',
    example: 'kith events --types peer.connected,peer.disconnected',
    options: { types: { doc: 'only these, with commas', value: 'LIST' }, since: { doc: 'first what came after this number', value: 'N' } },
    words: [0, 0],
    load: async () => (await import('./run-node.ts')).events
  },
  peers: {
    summary: 'the peers this node knows; connect, disconnect or ping one',
    usage: '[connect ADDRESS | disconnect PEER | ping PEER]',
    example: 'kith peers connect /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…',
    words: [0, 2],
    subcommands: ['connect', 'disconnect', 'ping'],
    load: async () => (await import('./run-peers.ts')).peers
  },
  adverts: {
    summary: 'what peers say they have; say it oneself; ask one',
    usage: '[publish | query PEER]',
    example: 'kith adverts query 12D3Koo…',
    words: [0, 2],
    subcommands: ['publish', 'query'],
    load: async () => (await import('./run-peers.ts')).adverts
  },
  ...TRUST_COMMANDS,
  ...PUBSUB_COMMANDS,
  config: {
    summary: 'show or check the configuration; make an access token',
    usage: '[show | validate [FILE] | token NAME SCOPES]',
    example: 'kith config token backup read,write --paths /srv/backup --expires 90d',
    options: {
      paths: { doc: 'directories whose files the token may name (default: none)', value: 'LIST' },
      realms: { doc: 'what it sees: public, cache, own (default: what it put itself, and public)', value: 'LIST' },
      expires: { doc: 'a date, or a time from now such as 90d (default: never)', value: 'WHEN' }
    },
    words: [0, 16],
    subcommands: ['show', 'validate', 'token'],
    load: async () => (await import('./run-config.ts')).config
  },
  rpc: {
    summary: 'call any method of the daemon',
    usage: 'METHOD [JSON]',
    example: `kith rpc content.has '{"content":"bafy…"}'`,
    words: [1, 2],
    load: async () => (await import('./run-node.ts')).rpc
  },
  shutdown: {
    summary: 'stop the daemon in good order',
    usage: '',
    example: 'kith shutdown',
    words: [0, 0],
    load: async () => (await import('./run-node.ts')).shutdown
  }
}

/** Commands of the contract that come with later versions, and what each will do. */
export const NOT_BUILT_COMMANDS: Readonly<Record<string, string>> = {
  publish: 'make private content public on purpose, after asking',
  pin: 'keep content for good, or no longer',
  gc: 'collect what nothing keeps any more',
  swarm: 'make and run groups of nodes'
}
