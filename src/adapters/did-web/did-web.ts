/**
 * Resolves did:web: fetches the DID document its server publishes and takes the Ed25519 keys out of it. HTTPS only, to
 * public addresses only (looked at after the name was resolved), no redirect, bounded in bytes and time. Keeps nothing.
 */
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector, request } from 'undici'
import { KithError } from '../../errors.ts'
import { startDeadline } from '../../lib/deadline.ts'
import type { Bytes, Ms } from '../../model/units.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DidResolver } from '../../ports/did-resolver.ts'
import type { AbortOptions } from '../../ports/options.ts'
import { publicLookup } from '../gateway/address-guard.ts'
import { keysOf } from './document.ts'

/** A document with a few keys has some two kilobytes. */
const DOCUMENT_BYTES_MAX: Bytes = 64 * 1024
/** From the question to the last byte. */
const RESOLVE_BUDGET_MS: Ms = 5_000
const HEADER_BYTES_MAX: Bytes = 16_384
/** Longest DID looked at. Characters. */
const DID_CHARACTERS_MAX = 512

export interface DidWebComponents {
  readonly clock: Clock
  /** Name resolution; the system's unless a test forces an answer. What it gives is checked all the same. */
  readonly lookup?: LookupFunction
  /** Opens the sockets; only for tests, which have no public server. */
  readonly connector?: buildConnector.connector
}

export class DidWeb implements DidResolver {
  readonly #clock: Clock
  readonly #agent: Agent

  constructor({ clock, lookup, connector }: DidWebComponents) {
    this.#clock = clock
    this.#agent = new Agent({
      connect: connector ?? buildConnector({ timeout: RESOLVE_BUDGET_MS, lookup: publicLookup(lookup) }),
      maxHeaderSize: HEADER_BYTES_MAX,
      // Time is bounded here, by the clock of the node: the agent's own timers are off.
      headersTimeout: 0,
      bodyTimeout: 0
    })
  }

  async resolve(did: string, options: AbortOptions = {}): Promise<readonly Uint8Array[]> {
    const url = documentUrl(did)
    return keysOf(did, await this.#fetch(did, url, options))
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #fetch(did: string, url: URL, options: AbortOptions): Promise<string> {
    using deadline = startDeadline(this.#clock, RESOLVE_BUDGET_MS, options)
    try {
      const headers = { accept: 'application/did+json, application/json', 'user-agent': 'kith' }
      const { statusCode, body } = await request(url, { dispatcher: this.#agent, headers, signal: deadline.signal })
      if (statusCode === 200) return await readText(did, body)
      body.on('error', () => {}).destroy()
      throw unavailable(did, `its server answered with HTTP ${statusCode}`)
    } catch (error) {
      if (error instanceof KithError) throw error
      if (options.signal?.aborted === true) throw options.signal.reason
      throw unavailable(did, error instanceof Error ? error.message : String(error), { cause: error })
    }
  }
}

/**
 * `did:web:HOST[%3APORT][:PATH…]` as the address of its document.
 *
 * @throws KithError INVALID_PARAMS
 */
export function documentUrl(did: string): URL {
  const parts = did.length > DID_CHARACTERS_MAX ? [] : did.split(':').slice(2)
  const [host = '', ...path] = parts
  const authority = /^((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9])(?:%3A([0-9]{1,5}))?$/i.exec(host)
  const isPath = path.every(part => /^[A-Za-z0-9._-]+$/.test(part) && !/^\.+$/.test(part))
  const [, name, port] = authority ?? []
  if (!did.startsWith('did:web:') || name === undefined || isIP(name) !== 0 || !isPath)
    throw new KithError('INVALID_PARAMS', 'this is no did:web: it looks like did:web:example.com or did:web:example.com:people:ana')
  const text = `https://${name}${port === undefined ? '' : `:${port}`}/${path.length === 0 ? '.well-known' : path.join('/')}/did.json`
  if (!URL.canParse(text)) throw new KithError('INVALID_PARAMS', 'the port of this did:web is none')
  return new URL(text)
}

async function readText(did: string, body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > DOCUMENT_BYTES_MAX)
      throw new KithError('INTEGRITY', `the document of ${did} has more than ${DOCUMENT_BYTES_MAX} bytes and is not read`, { did })
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, bytes))
  } catch (error) {
    throw new KithError('INTEGRITY', `the document of ${did} is no text in UTF-8`, { did }, { cause: error })
  }
}

function unavailable(did: string, why: string, options?: ErrorOptions): KithError {
  return new KithError('UNAVAILABLE', `the keys of ${did} cannot be had: ${why}. Its owner must publish them over HTTPS`, { did }, options)
}
