/** What went wrong with a dial, in words an operator can act on. */
import { KithError } from '../../errors.ts'

const BY_CODE: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused: nothing listens there',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ETIMEDOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to its network',
  EADDRNOTAVAIL: 'the address cannot be reached from here',
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve at the moment',
  ENOENT: 'its name does not resolve'
}

const BY_NAME: Record<string, string> = {
  TimeoutError: 'it did not answer in time',
  AbortError: 'it did not answer in time',
  NoValidAddressesError: 'it is not a TCP address, the only kind this host dials',
  TransportUnavailableError: 'it is not a TCP address, the only kind this host dials',
  UnexpectedPeerError: 'the node there has another peer id than the address says',
  DialDeniedError: 'dialling it is not allowed',
  EncryptionFailedError: 'it closed the connection during the handshake or does not speak noise',
  MuxerUnavailableError: 'it shares no stream multiplexer with this node',
  UnexpectedEOFError: 'it closed the connection during the handshake',
  StreamResetError: 'it closed the connection during the handshake',
  StreamClosedError: 'it closed the connection during the handshake'
}

/** What a relay answers to who wants to be connected. */
const BY_RELAY: Record<string, string> = {
  PERMISSION_DENIED:
    'the relay refuses: it does not relay for these two, or has relayed what it may in a day (network.relay.maxBytesPerDay there)',
  NO_RESERVATION: 'it has no place at the relay: it is not connected there now, or not trusted there',
  CONNECTION_FAILED: 'the relay could not pass the connection on to it',
  RESOURCE_LIMIT_EXCEEDED: 'the relay has as much to do as it takes'
}

/** @returns UNAVAILABLE naming the cause, INVALID_PARAMS for the own address */
export function dialError(address: string, error: unknown): KithError {
  const cause = rootCause(error)
  if (cause.message.includes('dial self'))
    return new KithError(
      'INVALID_PARAMS',
      `${address} is this node's own address, or that of a second node with this node's key; give another node's`,
      {},
      { cause: error }
    )
  return new KithError('UNAVAILABLE', `${address} could not be reached: ${explain(cause)}`, {}, { cause: error })
}

function explain(error: Error): string {
  const refusal = /failed to connect via relay with status (\w+)/.exec(error.message)?.[1]
  if (refusal !== undefined) return BY_RELAY[refusal] ?? `the relay said ${refusal}`
  if (/remote identity key|remote peer id|unexpected peer/i.test(error.message)) return `${BY_NAME['UnexpectedPeerError']}`
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return BY_CODE[code] ?? BY_NAME[error.name] ?? error.message
}

/** libp2p wraps: an AggregateError per address list, a cause per layer. The innermost says most. */
function rootCause(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0])
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? rootCause(error.cause) : error
}
