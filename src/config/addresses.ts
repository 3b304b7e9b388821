/** Shapes of network addresses in the configuration. Shape only: whether one can be used shows when it is. */
import { parseWrittenDuration, BadValueError } from './key.ts'
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

/** A URL, or `{url, timeout}`. */
export function parseGateway(written: unknown): GatewayConfig {
  if (typeof written === 'string') return { url: gatewayUrl(written), timeout: GATEWAY_TIMEOUT_DEFAULT }
  if (typeof written !== 'object' || written === null || Array.isArray(written))
    throw new BadValueError('is neither a URL nor {url, timeout}')
  const { url, timeout, ...others } = { url: undefined, timeout: undefined, ...written }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new BadValueError(`has the unknown key "${unknown}"; a gateway has url and timeout`)
  if (typeof url !== 'string') throw new BadValueError('names no url')
  return { url: gatewayUrl(url), timeout: timeout === undefined ? GATEWAY_TIMEOUT_DEFAULT : parseWrittenDuration(timeout) }
}

function gatewayUrl(text: string): string {
  const url = URL.parse(text.replaceAll('{cid}', 'cid'))
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new BadValueError(`names no http or https URL ("${text}"). It looks like https://ipfs.io or https://{cid}.ipfs.dweb.link`)
  if (url.username !== '' || url.password !== '')
    throw new BadValueError('holds a user name or password in its URL, where logs would show it')
  return text
}
