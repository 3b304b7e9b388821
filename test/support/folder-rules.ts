/** Which folder of src/ may import what: the one place that says so. */
import type { ImportOf, SourceFile } from './source-tree.ts'

interface FolderRule {
  /** Folders (or files of src/) whose values and types may be used; the folder itself always may. */
  readonly ours: readonly string[]
  /** Folders of which types only. */
  readonly types?: readonly string[]
  /** Packages by name or prefix. */
  readonly packages?: readonly string[]
}

const PURE = ['multiformats', 'uint8arrays']
const DOMAIN = ['retrieval', 'ranking', 'exchange', 'adverts', 'peers', 'content', 'pins', 'replicas', 'swarms']
/** Pure conversions and checks that live in a domain folder and are everybody's. */
const SHARED_FILES = [
  'src/peers/did.ts',
  'src/peers/did-key.ts',
  'src/peers/jwt.ts',
  'src/peers/sign-binding.ts',
  'src/config/quantities.ts'
]

const domain: FolderRule = {
  ours: ['model', 'errors', 'ports', 'lib', 'observe', 'dag'],
  types: [...DOMAIN, 'rpc/services'],
  packages: PURE
}
const adapter = (...packages: string[]): FolderRule => ({
  ours: ['model', 'errors', 'ports', 'lib', 'dag'],
  types: ['observe'],
  packages: [...PURE, ...packages]
})
const domainWith = (...packages: string[]): FolderRule => ({ ...domain, packages: [...PURE, ...packages] })

export const FOLDER_RULES: Readonly<Record<string, FolderRule>> = {
  errors: { ours: [] },
  model: { ours: ['errors'], packages: PURE },
  ports: { ours: ['model', 'errors'], packages: PURE },
  lib: { ours: ['errors'], types: ['model', 'ports'], packages: ['uint8arrays', 'cborg'] },
  dag: { ours: ['model', 'errors', 'lib'], types: ['ports'], packages: [...PURE, '@ipld/dag-pb', 'cborg', 'ipfs-unixfs'] },
  observe: { ours: ['model', 'errors', 'lib'], types: ['ports'] },
  ...Object.fromEntries(DOMAIN.map(name => [name, domain])),
  adverts: domainWith('bloom-filters', 'cborg'),
  content: domainWith('@ipld/dag-pb', 'ipfs-unixfs', 'ipfs-unixfs-importer'),
  exchange: domainWith('cborg'),
  peers: domainWith('cborg', 'did-jwt', 'did-resolver'),
  services: { ours: [...domain.ours, ...DOMAIN], types: ['rpc/services', 'rpc/services-people', 'config'], packages: PURE },
  // Halves of the composition root: they build, and know whom they build.
  start: { ours: [...domain.ours, ...DOMAIN, 'config', 'services', 'adapters', 'version'], packages: PURE },
  // The simulator may use anything but the client and real adapters.
  sim: { ours: [...domain.ours, ...DOMAIN, 'config', 'services', 'rpc', 'adapters/memory'], packages: [...PURE, 'yaml'] },
  config: { ours: ['model', 'errors', 'lib'], packages: ['yaml', 'node:fs/promises', 'node:os', 'node:path', 'node:util'] },
  rpc: {
    ours: ['model', 'errors', 'ports', 'lib', 'observe'],
    types: DOMAIN,
    packages: ['zod', ...PURE, 'node:']
  },
  cli: { ours: ['rpc', 'config', 'errors', 'lib', 'model'], types: ['observe', 'ports'], packages: ['yaml', 'node:'] },
  // It talks to strangers' servers as the gateway adapter does, under the same guard of addresses.
  'adapters/did-web': { ...adapter('undici', 'node:'), ours: ['model', 'errors', 'ports', 'lib', 'adapters/gateway'] },
  'adapters/files': adapter('node:'),
  'adapters/gateway': adapter('undici', 'node:'),
  'adapters/helia': adapter('helia', '@helia/', '@libp2p/interface', 'interface-blockstore'),
  'adapters/kubo': adapter('undici', 'kubo-rpc-client'),
  'adapters/libp2p': adapter('libp2p', '@libp2p/', '@chainsafe/libp2p-noise', '@multiformats/multiaddr', 'node:'),
  'adapters/memory': adapter(),
  'adapters/store': adapter('node:', 'interface-blockstore', 'cborg'),
  'adapters/system': adapter('lean-qr', 'pino', '@libp2p/crypto', '@libp2p/interface', 'node:')
}

/** Single imports beyond the table, each with its reason. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  // The one-shot hash is ten times faster on small blocks than WebCrypto.
  'src/model/sha256.ts': 'node:crypto',
  // One native check of a signature takes a tenth of the time of one in JavaScript.
  'src/model/ed25519.ts': 'node:crypto',
  // Pure: it parses addresses and compares them with ranges.
  'src/lib/public-address.ts': 'node:net',
  // The configuration, the client and the daemon all read small files, and must all be safe from large ones.
  'src/lib/small-file.ts': 'node:fs/promises'
}

/** These know everybody; the command line is another program. */
const COMPOSITION = ['src/main.ts', 'src/daemon.ts', 'src/index.ts']

/** @returns why this import is not allowed; undefined if it is */
export function objection(source: SourceFile, found: ImportOf): string | undefined {
  if (COMPOSITION.includes(source.path)) return found.file?.startsWith('src/cli/') === true ? 'only the client is in cli/' : undefined
  if (EXCEPTIONS[source.path] === found.specifier || (found.file !== undefined && SHARED_FILES.includes(found.file))) return undefined
  const folder = folderOf(source.path)
  const rule = FOLDER_RULES[folder]
  if (rule === undefined) return `the folder ${folder} has no rule`
  return found.file === undefined ? packageObjection(rule, found, folder) : ownObjection(rule, found, found.file, folder)
}

function packageObjection({ packages = [] }: FolderRule, { specifier }: ImportOf, folder: string): string | undefined {
  const allowed = packages.some(
    name => specifier === name || specifier.startsWith(name.endsWith('/') || name.endsWith(':') ? name : `${name}/`)
  )
  return allowed ? undefined : `${folder} may not use the package ${specifier}`
}

function ownObjection({ ours, types = [] }: FolderRule, { typeOnly }: ImportOf, file: string, folder: string): string | undefined {
  const within = (names: readonly string[]): boolean => names.some(name => file === `src/${name}.ts` || file.startsWith(`src/${name}/`))
  if (within([folder, ...ours]) || (typeOnly && within(types))) return undefined
  return within(types) ? `${folder} may use types of ${file} only` : `${folder} may not import ${file}`
}

/** `adapters/store`, `model`, `errors`. */
function folderOf(path: string): string {
  const [, first = '', second] = path.replace(/\.ts$/, '').split('/')
  return first === 'adapters' ? `${first}/${second}` : first
}
