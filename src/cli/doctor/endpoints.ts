/**
 * Whether the IPFS nodes and gateways of the configuration answer. Those on this machine are always asked; others
 * only on request, for asking tells them that this node is here. What is asked for is the empty content.
 */
import type { Config } from '../../config/schema.ts'
import type { Ms } from '../../model/units.ts'
import type { Finding } from './finding.ts'

/** Who has not answered by then is as good as not there. */
const ANSWER_MS_MAX: Ms = 5_000
/** The identity CID of nothing: every gateway can answer it, and it says nothing about anybody. */
const EMPTY_CID = 'bafkqaaa'

export interface EndpointInit {
  /** Also those beyond this machine. */
  readonly network: boolean
  readonly signal: AbortSignal
}

interface Endpoint {
  readonly name: string
  readonly url: string
  readonly kind: 'kubo' | 'gateway'
}

export async function endpointFindings(config: Config, init: EndpointInit): Promise<Finding[]> {
  const all = [...kuboEndpoints(config), ...gatewayEndpoints(config)]
  const asked = init.network ? all : all.filter(({ url }) => isLoopback(url))
  const found = await Promise.all(asked.map(async endpoint => await judge(endpoint, config, init.signal)))
  const spared = all.length - asked.length
  if (spared === 0) return found
  return [
    ...found,
    {
      code: 'NOT_ASKED',
      severity: 'info',
      message: `${spared} ${spared === 1 ? 'gateway or IPFS node' : 'gateways and IPFS nodes'} beyond this machine were not asked`,
      remedy: 'kith doctor --network asks them'
    }
  ]
}

function kuboEndpoints({ ipfs }: Config): Endpoint[] {
  if (ipfs.type !== 'kubo') return []
  return ipfs.api.map(name => ({ name, kind: 'kubo', url: new URL('/api/v0/version', apiUrl(name)).href }))
}

function gatewayEndpoints({ gateways }: Config): Endpoint[] {
  return gateways.map(({ url }) => {
    const base = url.includes('{cid}') ? url.replaceAll('{cid}', EMPTY_CID) : `${url.replace(/\/+$/, '')}/ipfs/${EMPTY_CID}`
    return { name: url, kind: 'gateway', url: base }
  })
}

/** `/ip4/127.0.0.1/tcp/5001`, `/dns4/HOST/tcp/443/https`, or a URL as it is. */
export function apiUrl(address: string): string {
  const [, family, host, port, scheme = ''] = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)(?:\/(.+))?$/.exec(address) ?? []
  if (host === undefined || port === undefined) return address
  return `${/https|tls/.test(scheme) ? 'https' : 'http'}://${family === 'ip6' ? `[${host}]` : host}:${port}`
}

function isLoopback(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

async function judge(endpoint: Endpoint, config: Config, signal: AbortSignal): Promise<Finding> {
  const what = endpoint.kind === 'kubo' ? 'the IPFS node' : 'the gateway'
  try {
    const { status } = await ask(endpoint, config, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]))
    if (status < 400) return { code: 'ENDPOINT', severity: 'ok', message: `${what} ${endpoint.name} answers` }
    return refused(endpoint, what, status)
  } catch (error) {
    signal.throwIfAborted()
    return {
      code: endpoint.kind === 'kubo' ? 'IPFS_UNREACHABLE' : 'GATEWAY_UNREACHABLE',
      severity: endpoint.kind === 'kubo' ? 'error' : 'warning',
      message: `${what} ${endpoint.name} does not answer (${reasonOf(error)})`,
      remedy: endpoint.kind === 'kubo' ? 'start it, or correct ipfs.api' : 'see whether it is up, or take it out of gateways'
    }
  }
}

async function ask({ kind, url }: Endpoint, { ipfs }: Config, signal: AbortSignal): Promise<{ readonly status: number }> {
  const isKnown = kind === 'kubo' && ipfs.projectId !== null && ipfs.projectSecret !== null
  const credentials = isKnown ? Buffer.from(`${ipfs.projectId}:${ipfs.projectSecret}`).toString('base64') : undefined
  const response = await fetch(url, {
    method: kind === 'kubo' ? 'POST' : 'GET',
    headers: {
      ...(kind === 'gateway' ? { accept: 'application/vnd.ipld.raw' } : {}),
      ...(credentials === undefined ? {} : { authorization: `Basic ${credentials}` })
    },
    redirect: 'manual',
    signal
  })
  await response.body?.cancel()
  return response
}

function refused({ kind, name }: Endpoint, what: string, status: number): Finding {
  const isLogin = kind === 'kubo' && (status === 401 || status === 403)
  return {
    code: kind === 'kubo' ? 'IPFS_REFUSES' : 'GATEWAY_REFUSES',
    severity: kind === 'kubo' ? 'error' : 'warning',
    message: `${what} ${name} answers with status ${status}`,
    remedy: isLogin
      ? 'correct ipfs.projectId and ipfs.projectSecret'
      : kind === 'kubo'
        ? 'see whether that is the RPC API of Kubo (port 5001, not the gateway)'
        : 'see whether that is a trustless gateway'
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `nothing within ${ANSWER_MS_MAX / 1000} s`
  const { cause } = error
  return cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : error.message
}
