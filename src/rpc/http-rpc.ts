/** `POST /rpc`: the method table for clients that speak HTTP. 200 with the answer, even for errors; 204 for notifications. */
import { isUtf8 } from 'node:buffer'
import { KithError } from '../errors.ts'
import { answerJson } from './http-answer.ts'
import type { HttpCall } from './http-answer.ts'
import { NOT_UTF8 } from './line-splitter.ts'
import { messageBytesMax, tooLong } from './message-length.ts'
import type { RpcParts } from './parts.ts'
import { RpcSession } from './session.ts'

export async function answerRpc(parts: RpcParts, call: HttpCall): Promise<void> {
  const { response, signal } = call
  const text = await readBody(call)
  await new Promise<void>((resolve, reject) => {
    const session = new RpcSession(parts, { caller: () => call.caller, login: loginByHeader })
    const leave = (): void => {
      session.abort(new KithError('CANCELLED', 'the connection was closed'))
      reject(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    session.handle(text, answer => {
      signal.removeEventListener('abort', leave)
      if (answer === undefined) response.writeHead(204).end()
      else answerJson(response, 200, answer)
      resolve()
    })
  })
}

function loginByHeader(): never {
  throw new KithError('INVALID_REQUEST', 'over HTTP every request says who sends it: give the token as "Authorization: Bearer TOKEN"')
}

async function readBody({ request, caller }: HttpCall): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!(chunk instanceof Uint8Array)) continue
    size += chunk.byteLength
    if (size > messageBytesMax(caller)) throw tooLong(caller)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  return isUtf8(body) ? body.toString('utf8') : NOT_UTF8
}
