/** A gateway's configured URL: where its blocks are, and which hosts it names itself. Pure. */
import { isIP } from 'node:net'
import type { CID } from 'multiformats/cid'
import { KithError } from '../../errors.ts'
import { toV1 } from '../../model/content-id.ts'
import { SourceError } from '../../ports/block-source.ts'

const PLACEHOLDER = '{cid}'
/** Stands for a CID while a template is read; no host begins with it by chance. */
const SAMPLE_LABEL = 'kith--cid'

const WHOLE_DAG = { format: 'car', 'dag-scope': 'all', 'car-order': 'dfs', 'car-dups': 'n' }

export interface Endpoint {
  /** The URL as configured. */
  readonly url: string
  /** The raw block's URL. */
  blockUrl(cid: CID): URL
  /** The URL of a CAR with everything below `cid`: depth first, no block twice (trustless gateway specification). */
  carUrl(cid: CID): URL
  /** Whether the configuration itself names this host and port; such an address may be private. */
  names(hostname: string, port: string, protocol: string): boolean
}

/**
 * Reads a base URL or a template with `{cid}`.
 *
 * @throws KithError CONFIG naming what is wrong
 */
export function parseEndpoint(url: string, init: { readonly allowPrivate?: boolean; readonly publicOnly?: boolean } = {}): Endpoint {
  const sample = parse(url, url.replaceAll(PLACEHOLDER, SAMPLE_LABEL))
  if (sample.protocol !== 'https:' && sample.protocol !== 'http:') throw invalid(url, 'it must begin with https:// or http://')
  if (sample.username !== '' || sample.password !== '') throw invalid(url, 'it must hold no user or password')
  const exempt = init.publicOnly !== true && (init.allowPrivate === true || isLiteral(sample.hostname))
  return {
    url,
    blockUrl: cid => contentUrl(url, toV1(cid).toString(), { format: 'raw' }),
    carUrl: cid => contentUrl(url, toV1(cid).toString(), WHOLE_DAG),
    names: (hostname, port, protocol) =>
      exempt && isSameHost(sample, hostname) && portOf(port, protocol) === portOf(sample.port, sample.protocol)
  }
}

/** It leads where nobody is followed; asking again does not change that. */
export class LedAstrayError extends SourceError {
  constructor(message: string, options?: ErrorOptions) {
    super('fault', message, options)
    this.name = 'LedAstrayError'
  }
}

/**
 * Where a redirect leads.
 *
 * @throws LedAstrayError when it is none that is followed
 */
export function redirectTarget(from: URL, location: string): URL {
  if (!URL.canParse(location, from)) throw new LedAstrayError('the gateway redirects to something that is no URL')
  const to = new URL(location, from)
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw new LedAstrayError(`the gateway redirects to ${to.protocol}`)
  if (from.protocol === 'https:' && to.protocol === 'http:') throw new LedAstrayError('the gateway redirects from https to http')
  if (to.username !== '' || to.password !== '') throw new LedAstrayError('the gateway redirects to a URL with a password')
  return to
}

function contentUrl(template: string, cid: string, query: Readonly<Record<string, string>>): URL {
  const isTemplate = template.includes(PLACEHOLDER)
  const url = new URL(template.replaceAll(PLACEHOLDER, cid))
  if (!isTemplate) url.pathname = `${url.pathname.replace(/\/+$/, '')}/ipfs/${cid}`
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

/** Who writes the address itself, or localhost, means it. A name that merely resolves there does not. */
function isLiteral(hostname: string): boolean {
  return isIP(bare(hostname)) !== 0 || isLocalhost(hostname)
}

function isSameHost(configured: URL, hostname: string): boolean {
  if (isLocalhost(configured.hostname)) return isLocalhost(hostname)
  return bare(configured.hostname) === bare(hostname) || isSubdomainOfTemplate(configured.hostname, hostname)
}

/** `{cid}.ipfs.example` was read with the sample label in front. */
function isSubdomainOfTemplate(configured: string, hostname: string): boolean {
  return configured.startsWith(`${SAMPLE_LABEL}.`) && hostname.endsWith(configured.slice(SAMPLE_LABEL.length))
}

function isLocalhost(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost')
}

function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function portOf(port: string, protocol: string): string {
  if (port !== '') return port
  return protocol === 'https:' ? '443' : '80'
}

function parse(url: string, sample: string): URL {
  if (!URL.canParse(sample)) throw invalid(url, 'it is not a URL')
  return new URL(sample)
}

function invalid(url: string, why: string): KithError {
  return new KithError('CONFIG', `the gateway "${url}" cannot be used: ${why}. Write https://HOST or a template with {cid}.`)
}
