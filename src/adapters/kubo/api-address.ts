/** Where a Kubo's RPC is: a URL or a multiaddr, as operators write them. Pure. */
import { KithError } from '../../errors.ts'

/** Kubo's RPC API version 0, the only one. */
const API_PATH = '/api/v0'
const MULTIADDR = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/\s]+)(?:\/tcp\/(\d{1,5}))?(?:\/(tls\/http|https|http))?$/

/**
 * Reads `http(s)://HOST[:PORT][/PATH]`, `/ip4/ADDRESS/tcp/PORT`, `/dns/HOST/https` and the like.
 *
 * @returns the URL below which the methods are, without a slash at its end
 * @throws KithError CONFIG naming what is wrong
 */
export function parseApiAddress(written: string): URL {
  const text = written.startsWith('/') ? fromMultiaddr(written) : written
  if (!URL.canParse(text)) throw invalid(written, 'it is neither a URL nor a multiaddr')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(written, 'it must begin with http:// or https://')
  if (url.username !== '' || url.password !== '')
    throw invalid(written, 'it holds a user name or password, which logs would show; set ipfs.projectId and ipfs.projectSecret')
  if (url.search !== '' || url.hash !== '') throw invalid(written, 'it must not have a query or a fragment')
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.endsWith(API_PATH) ? path : `${path}${API_PATH}`
  return url
}

/** The address as `daemon.status` shows it: what was configured, as a URL, without the API's path. */
export function shownAddress(api: URL): string {
  return `${api.origin}${api.pathname.slice(0, -API_PATH.length)}`
}

function fromMultiaddr(written: string): string {
  const [, kind = '', host = '', port, web = 'http'] = MULTIADDR.exec(written) ?? []
  if (host === '') throw invalid(written, 'this kind of multiaddr names no RPC')
  const protocol = web === 'http' ? 'http' : 'https'
  return `${protocol}://${kind === 'ip6' ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
}

function invalid(written: string, why: string): KithError {
  // What is written may hold a password.
  const shown = written.replace(/\/\/[^/@]*@/, '//…@')
  return new KithError(
    'CONFIG',
    `the Kubo endpoint "${shown}" cannot be used: ${why}. It looks like /ip4/127.0.0.1/tcp/5001 or http://127.0.0.1:5001.`
  )
}
