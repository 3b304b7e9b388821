/** `PUT /content`: a body of any length into the store, as it arrives. A body that breaks off stores nothing. */
import type { IncomingMessage } from 'node:http'
import { KithError, NotBuiltError } from '../errors.ts'
import { z } from 'zod'
import { authorize } from './access.ts'
import { answerJson, queryParams, splitUrl } from './http-answer.ts'
import type { HttpCall } from './http-answer.ts'
import { paramsChecker } from './method.ts'
import { builtPrivacy, PUT_NOT_BUILT, putOptions } from './methods-content.ts'
import type { RpcParts } from './parts.ts'

/** A client that sends nothing for so long has died; what it sent is thrown away. Milliseconds. */
const BODY_STALL_MS = 120_000

const pin = z.enum(['true', 'false']).exactOptional()
const check = paramsChecker({ ...putOptions, pin }, PUT_NOT_BUILT)

export async function putContent({ services }: RpcParts, { request, response, caller, signal }: HttpCall): Promise<void> {
  authorize({ name: 'content.put', access: 'write' }, caller)
  const { privacy, pin: pinned, ...rest } = check({ ...headerParams(request), ...queryParams(splitUrl(request.url ?? '').query) })
  request.setTimeout(BODY_STALL_MS, () => request.destroy(new KithError('TIMEOUT', 'the client stopped sending')))
  const params = { ...rest, ...builtPrivacy(privacy), ...(pinned === undefined ? {} : { pin: pinned === 'true' }) }
  const result = await services.content.put({ stream: body(request) }, params, { signal })
  answerJson(response, 201, JSON.stringify(result))
}

function headerParams(request: IncomingMessage): Record<string, string> {
  if (request.headers['content-range'] !== undefined) throw new NotBuiltError('Uploading in parts (Content-Range)')
  const type = request.headers['content-type']
  return type === undefined ? {} : { contentType: type }
}

/** Leaving the loop early must not cut the connection: the refusal still has to be answered. */
async function* body(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      if (chunk instanceof Uint8Array) yield chunk
    }
  } catch (error) {
    throw error instanceof KithError ? error : new KithError('CANCELLED', 'the body broke off', {}, { cause: error })
  }
  if (!request.complete) throw new KithError('CANCELLED', 'the body broke off')
}
