/** Whether the addresses a stopped daemon would listen on can be had. Takes each for a moment and gives it back. */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readSmallFile } from '../../lib/small-file.ts'
import { KIB } from '../../model/units.ts'
import { errorCode } from './finding.ts'
import type { Finding } from './finding.ts'

/** A few addresses and their ports. Bytes. */
const PORTS_FILE_BYTES_MAX = 64 * KIB

interface Endpoint {
  readonly host: string
  readonly port: number
}

/** @param listen `/ip4/ADDRESS/tcp/PORT`, as `network.listen` has them; port 0 is what was drawn before, if anything was */
export async function portFindings(home: string, listen: readonly string[]): Promise<Finding[]> {
  const drawn = await drawnPorts(home)
  const found = await Promise.all(listen.map(async address => await judge(address, drawn[address])))
  const bad = found.flat()
  return bad.length > 0 || listen.length === 0 ? bad : [{ code: 'PORTS', severity: 'ok', message: 'the ports to listen on are free' }]
}

async function judge(address: string, drawn: number | undefined): Promise<Finding[]> {
  const configured = endpointOf(address)
  if (configured === undefined) return []
  const port = configured.port === 0 ? (drawn ?? 0) : configured.port
  const reason = await refusal({ ...configured, port })
  if (reason === undefined) return []
  if (reason === 'EADDRINUSE' && configured.port === 0)
    return [
      {
        code: 'PORT_CHANGES',
        severity: 'warning',
        message: `port ${port}, which this node had before, is taken: the next start draws another, and who knows the old one has to learn it`,
        remedy: 'stop the program that holds it, or write the port into network.listen'
      }
    ]
  return [{ code: 'PORT_TAKEN', severity: 'error', ...explain(address, port, reason) }]
}

function explain(address: string, port: number, reason: string): { readonly message: string; readonly remedy: string } {
  switch (reason) {
    case 'EADDRINUSE':
      return {
        message: `${address} is taken by another process`,
        remedy: `see which with "ss -ltnp sport = :${port}"; stop it, or choose another port in network.listen`
      }
    case 'EACCES':
      return { message: `${address} may not be listened on by this user`, remedy: 'choose a port from 1024 on in network.listen' }
    case 'EADDRNOTAVAIL':
      return { message: `${address} is no address of this machine`, remedy: 'correct network.listen; /ip4/0.0.0.0/tcp/0 is every address' }
    default:
      return { message: `${address} cannot be listened on (${reason})`, remedy: 'correct network.listen' }
  }
}

/** @returns the system's reason, undefined if it can be listened on */
async function refusal({ host, port }: Endpoint): Promise<string | undefined> {
  return await new Promise(resolve => {
    const server = createServer()
    server.once('error', error => resolve(errorCode(error)))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

function endpointOf(address: string): Endpoint | undefined {
  const [, host, port] = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)$/.exec(address) ?? []
  return host === undefined ? undefined : { host, port: Number(port) }
}

/** What the daemon wrote down; broken or gone, it draws anew. */
async function drawnPorts(home: string): Promise<Readonly<Record<string, number>>> {
  try {
    const read: unknown = JSON.parse(String(await readSmallFile(join(home, 'state', 'ports.json'), PORTS_FILE_BYTES_MAX)))
    if (typeof read !== 'object' || read === null) return {}
    return Object.fromEntries(Object.entries(read).filter(([, port]) => typeof port === 'number'))
  } catch {
    return {}
  }
}
