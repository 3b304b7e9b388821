/**
 * Giving a public root to a Kubo, which then holds and provides it: the one thing done by kubo-rpc-client, loaded only
 * here because it costs memory and start time. What Kubo has acknowledged is pinned there; a crash before loses nothing here.
 */
import type { CID } from 'multiformats/cid'
import { SourceError } from '../../ports/block-source.ts'
import type { ProvidedRoot } from '../../ports/content-routing.ts'
import type { Log } from '../../ports/log.ts'
import { asSourceError, statusError } from './rpc-error.ts'
import type { KuboRpcInit } from './rpc.ts'

type Client = Awaited<ReturnType<typeof connect>>

/**
 * Imports the CAR, pinned, then asks Kubo to tell its routers at once. That they cannot be told now is no failure: Kubo
 * provides what it has pinned by itself, as soon as it can.
 *
 * @throws SourceError; when the signal fires or the CAR cannot be read, whatever the client makes of that
 */
export async function give(init: KuboRpcInit, content: ProvidedRoot, log: Log, signal: AbortSignal): Promise<void> {
  const client = await connect(init)
  await importCar(client, content, signal)
  try {
    const limit = init.timeout === Infinity ? {} : { timeout: `${init.timeout}ms` }
    for await (const _event of client.routing.provide(content.root, { signal, recursive: false, ...limit })); // Kubo works while it is read
  } catch (error) {
    signal.throwIfAborted()
    log.debug({ err: error }, 'Kubo could not tell its routers now')
  }
}

async function connect({ api, authorization }: KuboRpcInit) {
  const { create } = await import('kubo-rpc-client')
  return create({ url: api, ...(authorization === undefined ? {} : { headers: { authorization } }) })
}

async function importCar(client: Client, content: ProvidedRoot, signal: AbortSignal): Promise<void> {
  let pinned = false
  try {
    for await (const { root } of client.dag.import(content.car({ signal }), { signal, pinRoots: true })) {
      if (root.pinErrorMsg !== undefined && root.pinErrorMsg !== '')
        throw new SourceError('fault', `Kubo did not pin it: ${root.pinErrorMsg}`)
      pinned ||= isSame(root.cid, content.root)
    }
  } catch (error) {
    throw fromClient(error)
  }
  if (!pinned) throw new SourceError('fault', 'Kubo took the CAR but did not say that it pinned the root')
}

function isSame(one: CID, other: CID): boolean {
  return one.toV1().toString() === other.toV1().toString()
}

/** The client's errors carry the response they came with. */
function fromClient(error: unknown): SourceError {
  if (error instanceof Error && 'response' in error && error.response instanceof Response)
    return statusError(error.response.status, error.message)
  return asSourceError(error)
}
