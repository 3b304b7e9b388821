/** What a running daemon says of itself, as findings. */
import { configFrom } from '../../config/resolve.ts'
import type { Config } from '../../config/schema.ts'
import type { KithError } from '../../errors.ts'
import type { KithClient } from '../../rpc/client.ts'
import type { NodeHealth, NodeStatus } from '../../rpc/services.ts'
import type { Finding } from './finding.ts'

export interface DaemonSays {
  readonly version: { readonly version: string; readonly node: string }
  readonly status: NodeStatus
  readonly health: NodeHealth
  /** In force, without the tokens. Undefined when the caller may not see it. */
  readonly config: Config | undefined
}

export async function askDaemon(client: KithClient, signal: AbortSignal): Promise<DaemonSays> {
  const [version, status, health, config] = await Promise.all([
    client.call('daemon.version', {}, { signal }),
    client.call('daemon.status', {}, { signal }),
    client.call('daemon.health', {}, { signal }),
    configInForce(client, signal)
  ])
  return { version, status, health, config }
}

/** Only the operator may see it, and a daemon of another version may speak of keys nobody knows here. */
async function configInForce(client: KithClient, signal: AbortSignal): Promise<Config | undefined> {
  try {
    return configFrom({ ...(await client.call('config.get', {}, { signal })), access: null })
  } catch {
    return undefined
  }
}

/** @param clientVersion of the program that asks */
export function daemonFindings({ version, status, health }: DaemonSays, clientVersion: string): Finding[] {
  return [
    {
      code: 'DAEMON',
      severity: 'ok',
      message: `a daemon runs: version ${version.version} on Node ${version.node.replace(/^v/, '')}, ${status.peerId}`
    },
    ...versionFindings(version.version, clientVersion),
    ...status.health.map(({ code, severity, title }): Finding => ({ code, severity, message: title })),
    ...ipfsFindings(status, health),
    ...addressFindings(status.addresses),
    ...relayFindings(status)
  ]
}

/**
 * Why a daemon that is there gave no answer.
 *
 * @param hasToken whether KITH_TOKEN was sent along
 */
export function refusalFinding(error: KithError, hasToken: boolean): Finding {
  if (error.code === 'UNAUTHORIZED')
    return {
      code: 'DAEMON_REFUSES',
      severity: 'error',
      message: `a daemon runs, and refuses to say how it is: ${error.message}`,
      remedy: refusalRemedy(error, hasToken)
    }
  return {
    code: 'DAEMON_SILENT',
    severity: 'error',
    message: `a daemon takes connections and does not answer: ${error.message}`,
    remedy: 'see its log; start it again if that does not help'
  }
}

function refusalRemedy({ data: { socketPath } }: KithError, hasToken: boolean): string {
  if (socketPath !== undefined) return 'be its owner' // the socket could not even be opened
  if (hasToken) return 'set KITH_TOKEN to a token of access.tokens that has not expired and has the scope read'
  return 'set KITH_TOKEN to a token with the scope read; its operator makes one with kith config token NAME read'
}

function versionFindings(daemon: string, client: string): Finding[] {
  if (daemon === client) return []
  return [
    {
      code: 'VERSIONS_DIFFER',
      severity: 'warning',
      message: `the daemon is version ${daemon}, and this client is ${client}`,
      remedy: 'start the daemon again (kith shutdown, kithd)'
    }
  ]
}

function ipfsFindings({ ipfs, health }: NodeStatus, { status }: NodeHealth): Finding[] {
  const isSaid = health.some(({ code }) => code === 'IPFS_UNREACHABLE')
  const down = ipfs.nodes
    .filter(node => !node.healthy)
    .map(({ url, type, error }): Finding => {
      const message = `the ${type} ${url} is not well${error === undefined ? '' : `: ${error}`}`
      if (error !== undefined && LOGIN_REFUSED.test(error))
        return {
          code: 'IPFS_REFUSES',
          severity: 'error',
          message,
          remedy: 'correct ipfs.projectId and ipfs.projectSecret, then start the daemon again'
        }
      return {
        code: 'IPFS_NODE_UNHEALTHY',
        severity: 'warning',
        message,
        remedy: 'it is tried again by itself; see whether it is up'
      }
    })
  if (status !== 'unhealthy' || isSaid) return down
  return [
    ...down,
    {
      code: 'IPFS_UNREACHABLE',
      severity: 'error',
      message: 'no IPFS node and no gateway answers: only what is here or at direct peers can be had',
      remedy: 'see whether this machine is online, and the settings ipfs and gateways'
    }
  ]
}

/** How the daemon tells of a node that does not take its credentials: trying again changes nothing about that. */
const LOGIN_REFUSED = /\bHTTP 40[13]\b/

/** Who is reached through whom, and why. */
function relayFindings({ relay }: NodeStatus): Finding[] {
  if (relay === undefined) return []
  const { relays, relayed, reservations, bytesToday, maxBytesPerDay } = relay
  const usedUp = maxBytesPerDay > 0 && bytesToday >= maxBytesPerDay
  return [
    ...(relays.length === 0
      ? []
      : [info('RELAYED', `nobody is known to be able to dial this node; trusted peers relay for it: ${relays.join(', ')}`)]),
    ...relayed.map(({ peer, address, why }) => info('PEER_RELAYED', `${peer} is connected by ${address}: ${why}`)),
    ...(reservations === 0 ? [] : [info('RELAYS', `this node relays for ${reservations} peers it trusts: ${bytesToday} bytes today`)]),
    ...(usedUp
      ? [
          {
            code: 'RELAY_USED_UP',
            severity: 'warning' as const,
            message: `this node has relayed the ${maxBytesPerDay} bytes it may in a day, and relays again tomorrow (UTC)`,
            remedy: 'raise network.relay.maxBytesPerDay if it should relay more'
          }
        ]
      : [])
  ]
}

function info(code: string, message: string): Finding {
  return { code, severity: 'info', message }
}

const LOOPBACK = /^\/(?:ip4\/127\.|ip6\/::1\/)/
const LOCAL = /^\/(?:ip4\/(?:127\.|10\.|192\.168\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.)|ip6\/(?:::1\/|f[cd]|fe[89ab]))/i

function addressFindings(addresses: readonly string[]): Finding[] {
  if (addresses.length === 0)
    return [
      {
        code: 'NOT_LISTENING',
        severity: 'warning',
        message: 'the node listens nowhere: it can connect to others, and nobody to it',
        remedy: 'set network.listen if others should'
      }
    ]
  if (addresses.every(address => LOOPBACK.test(address)))
    return [
      {
        code: 'LOOPBACK_ONLY',
        severity: 'warning',
        message: 'the node listens on this machine only: no other machine can connect to it',
        remedy: 'set network.listen to /ip4/0.0.0.0/tcp/0 if others should'
      }
    ]
  if (addresses.every(address => LOCAL.test(address)))
    return [
      {
        code: 'LOCAL_ONLY',
        severity: 'info',
        message: 'the node has addresses of the local network only: who is outside reaches it if the router forwards its port',
        remedy: 'forward the port and write the outer address into network.announce'
      }
    ]
  return [{ code: 'ADDRESSES', severity: 'ok', message: `the node listens on ${addresses.length} addresses that others may reach` }]
}
