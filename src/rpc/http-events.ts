/** `GET /events`: what happens here as server-sent events. `Last-Event-ID` (or `since`) replays what was missed. */
import { authorize } from './access.ts'
import { EventFeed } from './event-feed.ts'
import { queryParams, splitUrl } from './http-answer.ts'
import type { HttpCall } from './http-answer.ts'
import { eventText } from './line-connection.ts'
import { whenExpired } from './login.ts'
import { paramsChecker } from './method.ts'
import { eventFilter } from './methods-events.ts'
import type { RpcParts } from './parts.ts'
import { seesEvent } from './realm-view.ts'

/** A comment this often keeps the stream alive and finds out readers that are gone. Milliseconds. */
const HEARTBEAT_MS = 15_000

const check = paramsChecker(eventFilter, [])

/** Resolves when the client goes away or the server stops. */
export async function streamEvents(parts: RpcParts, { request, response, caller, signal }: HttpCall): Promise<void> {
  const { services, clock, access } = parts
  authorize({ name: 'events.subscribe', access: 'read' }, caller)
  const { types, since, ...rest } = queryParams(splitUrl(request.url ?? '').query)
  const last = request.headers['last-event-id'] ?? since
  const filter = check({
    ...rest,
    ...(types === undefined ? {} : { types: types.split(',').map(type => type.trim()) }),
    ...(last === undefined ? {} : { since: /^\d+$/.test(String(last)) ? Number(last) : last })
  })
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write(': what happens at this node\n\n')
  const feed = new EventFeed(
    { events: services.events, clock },
    {
      write: ({ event }) => response.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${eventText(event)}\n\n`),
      isSeen: event => seesEvent(access.current(caller), event)
    }
  )
  const subscription = feed.subscribe(filter)
  response.on('drain', () => feed.resume())
  subscription.start()
  const over = new AbortController()
  const cancelExpiry = whenExpired(parts, caller, reason => over.abort(reason))
  await untilGone(
    AbortSignal.any([signal, over.signal]),
    run => clock.after(HEARTBEAT_MS, run),
    () => !response.writableNeedDrain && response.write(': alive\n\n')
  )
  cancelExpiry()
  feed.close()
  response.end()
}

async function untilGone(signal: AbortSignal, later: (run: () => void) => () => void, beat: () => void): Promise<void> {
  await new Promise<void>(resolve => {
    let cancel: () => void
    const again = (): void => {
      beat()
      cancel = later(again)
    }
    cancel = later(again)
    const done = (): void => {
      cancel()
      resolve()
    }
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
