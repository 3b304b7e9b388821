/**
 * The configuration schema. A key exists in the daemon exactly if it stands here or in `sections/`; docs/config.md
 * is made from this.
 */
import type { Key } from './key.ts'
import { ADVERTS, P2P_IPFS, PRIVACY, PROXY, ROUTING, SWARMS, TRUST } from './sections/content.ts'
import { GATEWAY_LIST, IPFS, NETWORK } from './sections/network.ts'
import { ACCESS, API, HTTP, LOG, RETRY } from './sections/process.ts'
import { CACHE, GC, LIMITS, PINNING, STORAGE } from './sections/storage.ts'

export const CONFIG_SCHEMA = {
  network: NETWORK,
  ipfs: IPFS,
  gateways: GATEWAY_LIST,
  routing: ROUTING,
  p2pIpfs: P2P_IPFS,
  trust: TRUST,
  privacy: PRIVACY,
  proxy: PROXY,
  adverts: ADVERTS,
  pinning: PINNING,
  swarms: SWARMS,
  cache: CACHE,
  gc: GC,
  storage: STORAGE,
  limits: LIMITS,
  access: ACCESS,
  http: HTTP,
  retry: RETRY,
  log: LOG,
  api: API
} as const

export type { Key } from './key.ts'

/** A branch of the schema or a key in it. */
export type SchemaNode = Key<unknown> | { readonly [name: string]: SchemaNode }

type ValueOf<N> = N extends Key<infer T> ? T : { readonly [K in keyof N]: ValueOf<N[K]> }

/** The configuration as the daemon uses it: durations in milliseconds, sizes in bytes (Infinity for unlimited). */
export type Config = ValueOf<typeof CONFIG_SCHEMA>

/**
 * Keys and sections of the public contract that no part of this version reads. They are checked like all others;
 * whoever sets one is told that nothing comes of it.
 */
export const WITHOUT_EFFECT: readonly string[] = [
  'ipfs.delegatedRouters',
  'p2pIpfs.p2pBandwidthLimit',
  'p2pIpfs.ipfsBandwidthLimit',
  'p2pIpfs.cacheStrategy',
  'pinning',
  'swarms',
  'cache.ttl',
  'gc',
  'http'
]

/** Form of the file. A file may say `version: N`; one from a newer Kith is refused. Raise it when a key changes its meaning. */
export const CONFIG_VERSION = 1

/** Former name of a key or section → its name now. Such a file goes on working, and says what to write instead. */
export const RENAMED: Readonly<Record<string, string>> = {}
