/**
 * HOME/state/ports.json: the port drawn for each `…/tcp/0`, so that others find this node where it was.
 * A convenience: if it is lost or broken, ports are drawn anew.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readSmallFile } from '../../lib/small-file.ts'
import { KIB } from '../../model/units.ts'
import type { Log } from '../../ports/log.ts'
import { isDiskFull, replaceFile } from './files.ts'

const DRAWN = /^\/(ip4|ip6)\/([^/]+)\/tcp\/0$/
const PORT_MAX = 65_535
/** A few addresses and their ports. Bytes. */
const PORTS_FILE_BYTES_MAX = 64 * KIB

export interface PortFileComponents {
  readonly log: Log
  /** Told of an address whose port was taken by another process, so that a new one is drawn. */
  readonly onTaken?: (taken: { readonly address: string; readonly port: number }) => void
}

/** The addresses to listen on: `tcp/0` becomes the port drawn before, unless another process has it now. */
export async function recallPorts(components: PortFileComponents, home: string, listen: readonly string[]): Promise<string[]> {
  const known = await readPorts(home)
  return await Promise.all(listen.map(async address => await recall(components, address, known[address])))
}

/** Writes down which ports were drawn. `bound` are the addresses the node really listens on, in any order. */
export async function rememberPorts(home: string, listen: readonly string[], bound: readonly string[]): Promise<void> {
  const known = await readPorts(home)
  const next = { ...known }
  const free = bound.map(parseBound).filter(found => found !== undefined)
  for (const address of listen) {
    const [, family, host] = DRAWN.exec(address) ?? []
    const index = free.findIndex(found => found.family === family && (found.host === host || isWildcard(host)))
    const found = free[index]
    if (found === undefined) continue
    next[address] = found.port
    // A wildcard is bound once for each interface, all with one port.
    for (let other = free.length - 1; other >= 0; other--) if (free[other]?.port === found.port) free.splice(other, 1)
  }
  if (JSON.stringify(next) === JSON.stringify(known)) return
  await replaceFile(portsFile(home), Buffer.from(`${JSON.stringify(next)}\n`)).catch((error: unknown) => {
    if (!isDiskFull(error)) throw error // else they are drawn anew at the next start
  })
}

async function recall({ log, onTaken }: PortFileComponents, address: string, port: number | undefined): Promise<string> {
  const [, , host] = DRAWN.exec(address) ?? []
  if (host === undefined || port === undefined) return address
  if (await isFree(host, port)) return address.replace(/0$/, String(port))
  log.warn({ address, port }, 'the port used before is taken by another process; drawing a new one')
  onTaken?.({ address, port })
  return address
}

async function isFree(host: string, port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port }, () => server.close(() => resolve(true)))
  })
}

async function readPorts(home: string): Promise<Readonly<Record<string, number>>> {
  try {
    const read: unknown = JSON.parse(String(await readSmallFile(portsFile(home), PORTS_FILE_BYTES_MAX)))
    if (typeof read !== 'object' || read === null) return {}
    return Object.fromEntries(Object.entries(read).filter(([, port]) => Number.isInteger(port) && port > 0 && port <= PORT_MAX))
  } catch {
    return {}
  }
}

function parseBound(address: string): { readonly family: string; readonly host: string; readonly port: number } | undefined {
  const [, family, host, port] = /^\/(ip4|ip6)\/([^/]+)\/tcp\/(\d+)(?:\/|$)/.exec(address) ?? []
  return family === undefined || host === undefined ? undefined : { family, host, port: Number(port) }
}

function isWildcard(host: string | undefined): boolean {
  return host === '0.0.0.0' || host === '::'
}

function portsFile(home: string): string {
  return join(home, 'state', 'ports.json')
}
