/** Names that other programs use in the environment, as keys of the configuration. Weaker than `KITH_…`, stronger than a file. */
import { KithError } from '../errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface AliasedValue {
  /** Dotted key. */
  readonly name: string
  /** As in a file. */
  readonly value: unknown
  /** The name in the environment. */
  readonly where: string
}

/** The port of Kubo's RPC API. */
const API_PORT_DEFAULT = 5001

interface Alias {
  readonly env: string
  /** Keys it sets, for the documents. */
  readonly keys: string
  readonly doc: string
  readonly read: (text: string, env: Environment) => Readonly<Record<string, unknown>>
}

/** From weakest to strongest. */
export const ALIASES: readonly Alias[] = [
  {
    env: 'PRSM_IPFS_PORT',
    keys: 'ipfs.api, ipfs.type',
    doc: `Port of the IPFS node's API, \`${API_PORT_DEFAULT}\` unless given; without PRSM_IPFS_HOST on 127.0.0.1. Sets the type to kubo.`,
    read: text => kubo(`http://127.0.0.1:${portOf(text)}`)
  },
  {
    env: 'PRSM_IPFS_HOST',
    keys: 'ipfs.api, ipfs.type',
    doc: 'Host name or address of an IPFS node, or its URL or multiaddr. Sets the type to kubo.',
    read: (text, env) => kubo(isAddress(text) ? text : `http://${bracketed(text)}:${portOf(env['PRSM_IPFS_PORT'])}`)
  },
  {
    env: 'IPFS_HOST',
    keys: 'ipfs.api, ipfs.type',
    doc: 'URL or multiaddr of an IPFS node; several separated by commas. Sets the type to kubo. Wins over PRSM_IPFS_HOST.',
    read: text => kubo(listed(text))
  },
  {
    env: 'IPFS_PROJECT_ID',
    keys: 'ipfs.projectId',
    doc: 'Only together with IPFS_PROJECT_SECRET.',
    read: text => ({ 'ipfs.projectId': text })
  },
  {
    env: 'IPFS_PROJECT_SECRET',
    keys: 'ipfs.projectSecret',
    doc: 'Only together with IPFS_PROJECT_ID.',
    read: text => ({ 'ipfs.projectSecret': text })
  },
  {
    env: 'PRSM_IPFS_TIMEOUT',
    keys: 'ipfs.timeout',
    doc: 'Milliseconds, or a duration.',
    read: text => ({ 'ipfs.timeout': withUnit(text, 'ms') })
  },
  {
    env: 'PRSM_IPFS_GATEWAY',
    keys: 'gateways',
    doc: 'URLs separated by commas, instead of the usual gateways.',
    read: text => ({ gateways: listed(text) })
  },
  {
    env: 'PRSM_IPFS_MAX_CONNECTIONS',
    keys: 'limits.maxSockets',
    doc: 'Connections to IPFS nodes and gateways together.',
    read: text => ({ 'limits.maxSockets': numberOf(text) })
  },
  {
    env: 'PRSM_IPFS_CACHE_SIZE_MB',
    keys: 'cache.maxBytes',
    doc: 'Megabytes (MB), or a size.',
    read: text => ({ 'cache.maxBytes': cacheSize(text) })
  },
  { env: 'PRSM_IPFS_RETRY_ATTEMPTS', keys: 'retry.attempts', doc: 'Attempts in all.', read: text => ({ 'retry.attempts': numberOf(text) }) }
]

/**
 * What the aliases in an environment say, from weakest to strongest. An empty one says nothing.
 *
 * @throws KithError CONFIG for half of a pair
 */
export function aliasedValues(env: Environment): AliasedValue[] {
  for (const [one, other] of [
    ['IPFS_PROJECT_ID', 'IPFS_PROJECT_SECRET'],
    ['IPFS_PROJECT_SECRET', 'IPFS_PROJECT_ID']
  ] as const)
    if (isSet(env[one]) && !isSet(env[other]))
      throw new KithError('CONFIG', `the environment holds ${one} without ${other}. Set both or unset it`, { key: one })
  return ALIASES.flatMap(({ env: where, read }) => {
    const text = env[where]
    return isSet(text) ? Object.entries(read(text.trim(), env)).map(([name, value]) => ({ name, value, where })) : []
  })
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== ''
}

function kubo(api: string | readonly string[]): Readonly<Record<string, unknown>> {
  return { 'ipfs.type': 'kubo', 'ipfs.api': api }
}

/** What is none is left to the key's own check, which then names the alias. */
function listed(text: string): string[] {
  return text.split(',').map(part => part.trim())
}

function isAddress(text: string): boolean {
  return text.startsWith('/') || text.includes('://')
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

function portOf(text: string | undefined): string {
  return isSet(text) ? text.trim() : String(API_PORT_DEFAULT)
}

/** For the other program 0 is no cache; here it would be one without end. */
function cacheSize(text: string): string {
  if (/^0+(?:\.0*)?$/.test(text))
    throw new KithError(
      'CONFIG',
      'PRSM_IPFS_CACHE_SIZE_MB: Kith cannot do without a cache, and 0 would be one without limit. Give a small one, such as 64',
      { key: 'PRSM_IPFS_CACHE_SIZE_MB' }
    )
  return withUnit(text, 'MB')
}

/** Bare numbers have the unit that the other program means. */
function withUnit(text: string, unit: string): string {
  return /^\d+(?:\.\d+)?$/.test(text) ? `${text}${unit}` : text
}

function numberOf(text: string): unknown {
  return /^\d+$/.test(text) ? Number(text) : text
}
