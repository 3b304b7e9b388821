/** A small real trustless gateway on loopback (raw blocks and CARs), with the ways a bad one may behave. */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { CID } from 'multiformats/cid'
import { answerCar, BAD_CARS, type BadCar } from './gateway-car.ts'

/**
 * `silent`: never answers · `stalled`: sends half of the body and then nothing · `raw-only`: 400 to a question for a
 * CAR · `web-page`: an HTML page instead. The bad CARs are honest about single blocks.
 */
export type GatewayBehaviour =
  | BadCar
  | 'raw-only'
  | 'web-page'
  | 'honest'
  | 'wrong-bytes'
  | 'half-then-close'
  | 'endless'
  | 'oversized-length'
  | 'silent'
  | 'stalled'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly redirect: string }

export interface TrustlessGateway extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Requests seen, oldest first. */
  readonly requests: readonly { readonly path: string; readonly headers: IncomingMessage['headers'] }[]
  /** Body bytes handed to the socket so far. */
  readonly sentBytes: () => number
  behave(behaviour: GatewayBehaviour, cid?: CID): void
  /** Resolves when the next request has arrived. */
  nextRequest(): Promise<void>
  put(cid: CID, bytes: Uint8Array): void
}

/** Where the blocks come from; a Map by CID string or anything that answers like one. */
export interface GatewayBlocks {
  get(cid: string): Uint8Array | undefined | Promise<Uint8Array | undefined>
}

class Gateway {
  readonly requests: { path: string; headers: IncomingMessage['headers'] }[] = []
  readonly own = new Map<string, Uint8Array>()
  readonly special = new Map<string, GatewayBehaviour>()
  readonly waiting: (() => void)[] = []
  readonly #blocks: GatewayBlocks
  behaviour: GatewayBehaviour = 'honest'
  sent = 0

  constructor(blocks: GatewayBlocks) {
    this.#blocks = blocks
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gateway')
    this.requests.push({ path: `${url.pathname}${url.search}`, headers: request.headers })
    for (const resolve of this.waiting.splice(0)) resolve()
    const cid = /^\/ipfs\/([^/]+)$/.exec(url.pathname)?.[1]
    const format = url.searchParams.get('format')
    const behaviour = cid === undefined ? 'honest' : (this.special.get(cid) ?? this.behaviour)
    if (request.method !== 'GET' || cid === undefined || (format !== 'raw' && format !== 'car')) return void response.writeHead(400).end()
    const bytes = this.own.get(cid) ?? (await this.#blocks.get(cid))
    if (format === 'raw') this.#answer(response, cid, bytes, isBadCar(behaviour) ? 'honest' : behaviour)
    else await this.#answerCar(response, CID.parse(cid), bytes, behaviour)
  }

  async #answerCar(response: ServerResponse, root: CID, bytes: Uint8Array | undefined, behaviour: GatewayBehaviour): Promise<void> {
    if (behaviour === 'raw-only') return void response.writeHead(400).end('no CARs here\n')
    if (behaviour === 'web-page') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
    if (typeof behaviour === 'object' || bytes === undefined) return this.#answer(response, root.toString(), bytes, behaviour)
    if (behaviour === 'silent' || behaviour === 'endless' || behaviour === 'oversized-length')
      return this.#answer(response, root.toString(), bytes, behaviour)
    await answerCar(response, {
      root,
      behaviour,
      block: async cid => this.own.get(cid.toString()) ?? (await this.#blocks.get(cid.toString())),
      isSpoilt: cid => this.special.get(cid.toString()) === 'wrong-bytes',
      sent: count => {
        this.sent += count
      }
    })
  }

  #answer(response: ServerResponse, cid: string, bytes: Uint8Array | undefined, behaviour: GatewayBehaviour): void {
    if (behaviour === 'silent') return
    if (typeof behaviour === 'object') return answerStatus(response, behaviour)
    if (behaviour === 'endless') return this.#endless(response)
    if (bytes === undefined) return void response.writeHead(404).end('no such block\n')
    const length = behaviour === 'oversized-length' ? 64 * 1_048_576 : bytes.byteLength
    response.writeHead(200, {
      'content-type': 'application/vnd.ipld.raw',
      'content-length': length,
      etag: `"${cid}.raw"`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=29030400, immutable'
    })
    if (behaviour === 'wrong-bytes')
      return this.#send(
        response,
        bytes.map(byte => byte ^ 0xff)
      )
    if (behaviour === 'honest' || behaviour === 'raw-only' || behaviour === 'web-page') return this.#send(response, bytes)
    response.write(bytes.subarray(0, bytes.byteLength >> 1), () => {
      if (behaviour === 'half-then-close') response.destroy()
    })
  }

  #send(response: ServerResponse, bytes: Uint8Array): void {
    this.sent += bytes.byteLength
    response.end(bytes)
  }

  #endless(response: ServerResponse): void {
    const chunk = new Uint8Array(65_536)
    response.writeHead(200, { 'content-type': 'application/vnd.ipld.raw' })
    const more = (): void => {
      while (!response.destroyed) {
        this.sent += chunk.byteLength
        if (!response.write(chunk)) return
      }
    }
    response.on('drain', more)
    more()
  }
}

function isBadCar(behaviour: GatewayBehaviour): boolean {
  return typeof behaviour === 'string' && BAD_CARS.some(name => name === behaviour)
}

function answerStatus(response: ServerResponse, behaviour: Extract<GatewayBehaviour, object>): void {
  if ('redirect' in behaviour) response.writeHead(302, { location: behaviour.redirect, 'set-cookie': 'session=1' }).end('elsewhere')
  else response.writeHead(behaviour.status, behaviour.headers).end('error')
}

/** @param listenOn - a port; 0 for a free one  @param tls - key and certificate, for HTTPS */
export async function startTrustlessGateway(
  blocks: GatewayBlocks = new Map(),
  listenOn = 0,
  tls?: { readonly key: string; readonly cert: string }
): Promise<TrustlessGateway> {
  const gateway = new Gateway(blocks)
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    gateway.handle(request, response).catch(error => response.destroy(error))
  }
  const server = tls === undefined ? createServer(handle) : createTlsServer({ ...tls }, handle)
  await new Promise<void>(resolve => server.listen(listenOn, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the gateway has no port')
  const { port } = address
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests: gateway.requests,
    sentBytes: () => gateway.sent,
    behave: (behaviour, cid) => {
      if (cid === undefined) gateway.behaviour = behaviour
      else gateway.special.set(cid.toString(), behaviour)
    },
    nextRequest: async () => {
      await new Promise<void>(resolve => gateway.waiting.push(resolve))
    },
    put: (cid, bytes) => {
      gateway.own.set(cid.toString(), bytes)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    }
  }
}
