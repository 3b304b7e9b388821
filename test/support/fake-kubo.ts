/** A small HTTP server on loopback that speaks Kubo's RPC as far as reading goes, with the ways a bad one may behave. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { CID } from 'multiformats/cid'
import { carBlock, carHeader } from '../../src/dag/car.ts'

/**
 * `silent`: never answers · `half`: breaks off in the middle · `stalled`: stops in the middle · `endless`: never ends ·
 * `wrong`: other bytes · `trailer`: half of it, then Kubo's trailer about an error.
 */
export type KuboBehaviour =
  | 'honest'
  | 'silent'
  | 'half'
  | 'stalled'
  | 'endless'
  | 'wrong'
  | 'trailer'
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }

export interface FakeKubo extends AsyncDisposable {
  readonly url: string
  /** `METHOD?QUERY` of requests seen, oldest first; without `/api/v0/`. */
  readonly requests: readonly { readonly call: string; readonly headers: IncomingMessage['headers'] }[]
  /** Body bytes handed to the socket so far. */
  readonly sentBytes: () => number
  /** How many requests of a method have come. */
  count(method: string): number
  /** Resolves when the next request has come. */
  nextRequest(): Promise<void>
  behave(behaviour: KuboBehaviour): void
  /** What `version` does; honest unless said. */
  behaveWhenChecked(behaviour: KuboBehaviour): void
  /** `dag/export` of the first block answers all of them, in this order. */
  put(...blocks: readonly { readonly cid: CID; readonly bytes: Uint8Array }[]): void
}

export async function startFakeKubo(): Promise<FakeKubo> {
  const requests: { call: string; headers: IncomingMessage['headers'] }[] = []
  const blocks = new Map<string, { cid: CID; bytes: Uint8Array }>()
  const sockets = new Set<Socket>()
  let waiting: (() => void)[] = []
  let behaviour: KuboBehaviour = 'honest'
  let checked: KuboBehaviour = 'honest'
  let sent = 0

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://kubo')
    const method = url.pathname.replace(/^\/api\/v0\//, '')
    requests.push({ call: `${method}${url.search}`, headers: request.headers })
    for (const resolve of waiting.splice(0)) resolve()
    request.resume()
    response.on('error', () => {})
    if (request.method !== 'POST') response.writeHead(405).end()
    else if (method === 'version') answer(response, checked, Buffer.from('{"Version":"0.0.0-fake"}'))
    else if (method === 'id') answer(response, behaviour, Buffer.from('{"ID":"x","Addresses":["/ip4/127.0.0.1/tcp/1"]}'))
    else answer(response, behaviour, bodyOf(method, url.searchParams.get('arg') ?? ''))
  })

  function bodyOf(method: string, cid: string): Uint8Array | undefined {
    const block = blocks.get(cid)
    if (block === undefined || method === 'block/get') return block?.bytes
    return Buffer.concat([carHeader([block.cid]), ...[...blocks.values()].flatMap(each => carBlock(each.cid, each.bytes))])
  }

  function answer(response: ServerResponse, how: KuboBehaviour, body: Uint8Array | undefined): void {
    if (how === 'silent') return
    if (typeof how === 'object') return void response.writeHead(how.status, how.headers).end(how.body ?? '')
    if (body === undefined) return void response.writeHead(500, { 'content-type': 'application/json' }).end(NOT_FOUND)
    if (how === 'endless') return endless(response)
    const bytes = how === 'wrong' ? body.map(byte => byte ^ 1) : body
    response.writeHead(200, { trailer: 'X-Stream-Error' })
    if (how === 'honest' || how === 'wrong') return void response.end(bytes)
    const half = bytes.subarray(0, bytes.byteLength / 2)
    if (how === 'trailer') response.addTrailers({ 'X-Stream-Error': 'block was not found locally' })
    if (how === 'trailer') return void response.end(half)
    response.write(half, () => {
      if (how === 'half') response.destroy()
    })
  }

  function endless(response: ServerResponse): void {
    const chunk = new Uint8Array(65_536)
    const more = (): void => {
      while (!response.destroyed) {
        sent += chunk.byteLength
        if (!response.write(chunk)) return
      }
    }
    response.writeHead(200).on('drain', more)
    more()
  }

  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    sentBytes: () => sent,
    count: method => requests.filter(({ call }) => call.split('?')[0] === method).length,
    nextRequest: async () =>
      await new Promise<void>(resolve => {
        waiting.push(resolve)
      }),
    behave: next => {
      behaviour = next
    },
    behaveWhenChecked: next => {
      checked = next
    },
    put: (...added) => {
      for (const block of added) blocks.set(block.cid.toString(), block)
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
      waiting = []
    }
  }
}

const NOT_FOUND = '{"Message":"context deadline exceeded","Code":0,"Type":"error"}'
