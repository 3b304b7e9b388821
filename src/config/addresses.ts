/** Shapes of network addresses in the configuration. Shape only: whether one can be used shows when it is. */
import { BadValueError, fieldsOf, parseWrittenDuration } from './key.ts'
import type { Ms } from '../model/units.ts'

export interface GatewayConfig {
  /** Base URL, or a template with `{cid}`. */
  readonly url: string
  readonly timeout: Ms
}

const GATEWAY_TIMEOUT_DEFAULT: Ms = 30_000
const PORT_MAX = 65_535

/** `/ip4/ADDRESS/tcp/PORT` or `/ip6/…`: the transports of this version. */
export function parseListenAddress(written: unknown): string {
  const [, port] =
    (typeof written === 'string' && /^\/(?:ip4\/\d{1,3}(?:\.\d{1,3}){3}|ip6\/[0-9a-fA-F:.]+)\/tcp\/(\d{1,5})$/.exec(written)) || []
  if (port === undefined || Number(port) > PORT_MAX)
    throw new BadValueError('is not an address to listen on. It looks like /ip4/127.0.0.1/tcp/0')
  return String(written)
}

/** Any multiaddr that ends in `/p2p/PEERID`. */
export function parsePeerAddress(written: unknown): string {
  if (typeof written === 'string' && /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(\/[^/\s]+)*\/p2p\/[A-Za-z0-9]{40,80}$/.test(written))
    return written
  throw new BadValueError('is not the address of a peer. It looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…')
}

/** An address at which this node can be reached from outside; the peer id is added by the node. */
export function parseAnnouncedAddress(written: unknown): string {
  if (typeof written === 'string' && /^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}(?:\/p2p\/[A-Za-z0-9]{40,80})?$/.test(written))
    return written
  throw new BadValueError('is not an address to announce. It looks like /dns4/node.example/tcp/4331 or /ip4/192.0.2.1/tcp/4331')
}

/** The RPC API of an IPFS node: a URL, or a multiaddr such as `/ip4/127.0.0.1/tcp/5001` or `/dns4/ipfs.example/tcp/443/https`. */
export function parseApiAddress(written: unknown): string {
  if (typeof written === 'string' && /^\/(?:ip4|ip6|dns|dns4|dns6)\/[^/\s]+\/tcp\/\d{1,5}(?:\/(?:http|https|tls\/http))?$/.test(written))
    return written
  if (typeof written === 'string' && /^https?:/.test(written)) return httpUrl(written, 'It looks like http://127.0.0.1:5001')
  throw new BadValueError(
    'is not where an IPFS node takes calls. Write a URL such as http://127.0.0.1:5001, or a multiaddr such as /ip4/127.0.0.1/tcp/5001'
  )
}

/** An http or https URL. */
export function parseUrl(written: unknown): string {
  if (typeof written !== 'string') throw new BadValueError('is not a URL')
  return httpUrl(written, 'It looks like https://node.example')
}

/** `HOST:PORT`, IPv6 in brackets, or `off`. */
export function parseHostPort(written: unknown): string {
  const [, port] = (typeof written === 'string' && /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(written)) || []
  if (port === undefined || Number(port) > PORT_MAX)
    throw new BadValueError('is neither off nor a host and a port. It looks like 127.0.0.1:8420')
  return String(written)
}

/** A URL, or `{url, timeout}`. */
export function parseGateway(written: unknown): GatewayConfig {
  if (typeof written === 'string') return { url: gatewayUrl(written), timeout: GATEWAY_TIMEOUT_DEFAULT }
  const { url, timeout } = { url: undefined, timeout: undefined, ...fieldsOf(written, ['url', 'timeout'], 'a URL or {url, timeout}') }
  if (typeof url !== 'string') throw new BadValueError('names no url')
  return { url: gatewayUrl(url), timeout: timeout === undefined ? GATEWAY_TIMEOUT_DEFAULT : parseWrittenDuration(timeout) }
}

function gatewayUrl(text: string): string {
  httpUrl(text.replaceAll('{cid}', 'cid'), 'It looks like https://ipfs.io or https://{cid}.ipfs.dweb.link')
  return text
}

function httpUrl(text: string, like: string): string {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new BadValueError(`names no http or https URL ("${text}"). ${like}`)
  if (url.username !== '' || url.password !== '')
    throw new BadValueError('holds a user name or password in its URL, where logs would show it')
  return text
}
