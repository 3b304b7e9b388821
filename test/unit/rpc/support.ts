/** A server on a real Unix socket with fake services, and clients rough enough to be rude to it. */
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { openAccess } from '../../../src/rpc/access.ts'
import type { AccessToken } from '../../../src/rpc/access.ts'
import { startRpcServer } from '../../../src/rpc/server.ts'
import type { RpcServer } from '../../../src/rpc/server.ts'
export { RawLines } from '../../support/raw-lines.ts'
export type { Message } from '../../support/raw-lines.ts'
import { fakeServices } from '../../support/fake-services.ts'
import type { FakeServices } from '../../support/fake-services.ts'
import { silentLog } from '../../support/silent-log.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

export interface RpcFixture extends AsyncDisposable {
  readonly home: string
  readonly socketPath: string
  readonly services: FakeServices
  readonly clock: VirtualClock
  readonly server: RpcServer
}

/** How the socket is guarded; absent: whoever opens it is the operator. */
export interface Guard {
  readonly socket?: 'admin' | 'token'
  readonly tokens: readonly AccessToken[]
}

export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

export async function rpcFixture(guard?: Guard): Promise<RpcFixture> {
  const directory = await temporaryDirectory()
  const clock = new VirtualClock()
  const services = fakeServices({ clock })
  const socketPath = join(directory.path, 'api.sock')
  const access =
    guard === undefined
      ? {}
      : { access: { control: openAccess({ tokens: guard.tokens, socket: guard.socket ?? 'token', clock }), facts: services.facts } }
  const server = await startRpcServer({ services, clock, log: silentLog, ...access }, { socketPath })
  return {
    home: directory.path,
    socketPath,
    services,
    clock,
    server,
    async [Symbol.asyncDispose]() {
      await server.stop({ signal: AbortSignal.abort() })
      await directory[Symbol.asyncDispose]()
    }
  }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface HttpOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string
}

export async function openHttp(
  socketPath: string,
  path: string,
  { method = 'GET', headers = {}, body }: HttpOptions = {}
): Promise<IncomingMessage> {
  const sent = request({ socketPath, path, method, headers, agent: false })
  sent.end(body)
  const [response] = await once(sent, 'response')
  sent.on('error', () => {})
  return response
}

export async function http(socketPath: string, path: string, options: HttpOptions = {}): Promise<HttpAnswer> {
  const response = await openHttp(socketPath, path, options)
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }
}
