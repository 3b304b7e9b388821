/** A reverse proxy on loopback that lets nobody through without the right name and password (basic authentication). */
import { createServer, request as forward } from 'node:http'

export interface PasswordProxy extends AsyncDisposable {
  readonly url: string
  /** Requests that were turned away. */
  readonly refused: () => number
}

export async function startPasswordProxy(target: string, name: string, password: string): Promise<PasswordProxy> {
  const right = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  let refused = 0
  const server = createServer((incoming, response) => {
    if (incoming.headers.authorization !== right) {
      refused++
      incoming.resume()
      response.writeHead(401, { 'www-authenticate': 'Basic realm="ipfs"' }).end('who are you?')
      return
    }
    const { authorization: _, host: __, ...headers } = incoming.headers
    const outgoing = forward(new URL(incoming.url ?? '/', target), { method: incoming.method, headers, agent: false }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    refused: () => refused,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    }
  }
}
