/** Addresses as an operator writes them, and what a host says when it cannot use one. */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { KithError } from '../../errors.ts'

/** Code of the /p2p component. */
export const P2P_CODE = 421

/** An address to dial. @throws INVALID_PARAMS */
export function parseAddress(address: string): Multiaddr {
  try {
    const parsed = multiaddr(address)
    const id = parsed.getComponents().findLast(component => component.code === P2P_CODE)?.value
    if (id !== undefined) peerIdFromString(id)
    if (parsed.getComponents().length === 0 || parsed.getComponents()[0]?.code === P2P_CODE) throw new Error('it names no host and port')
    return parsed
  } catch (error) {
    throw new KithError(
      'INVALID_PARAMS',
      `"${address}" is not an address to dial: ${asError(error).message}. Give one like /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`,
      {},
      { cause: error }
    )
  }
}

/** @throws START_FAILED */
export function assertMultiaddr(address: string): void {
  try {
    multiaddr(address)
  } catch (error) {
    throw new KithError(
      'START_FAILED',
      `the configured address "${address}" is not a multiaddr: ${asError(error).message}`,
      {},
      { cause: error }
    )
  }
}

/** `data.reason` is `address-in-use` when another program has the port: the caller may try another. */
export function startError(listen: readonly string[], error: unknown): KithError {
  const text = asError(error).message
  const [reason, why] = /EADDRINUSE/.test(text)
    ? ['address-in-use', 'another program already listens there']
    : /EACCES/.test(text)
      ? ['not-permitted', 'this user may not listen there; choose a port above 1023']
      : /EADDRNOTAVAIL/.test(text)
        ? ['not-ours', 'no network interface here has that address']
        : ['other', text.split('\n')[0] ?? text]
  const failed = failedOf(listen, text)
  return new KithError('START_FAILED', `cannot listen on ${failed.join(', ')}: ${why}`, { reason, listen: failed }, { cause: error })
}

/** libp2p gives each address that failed a line of its own: `  ADDRESS: why`. All, if it does not say. */
function failedOf(listen: readonly string[], text: string): string[] {
  const lines = text.split('\n').map(line => line.trim())
  const failed = listen.filter(address => lines.some(line => line.startsWith(`${multiaddr(address).toString()}: `)))
  return failed.length > 0 ? failed : [...listen]
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
