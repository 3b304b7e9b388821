/** What this node answers when a peer asks for its capabilities, and when it asks others by itself: for their bindings. */
import type { Host } from '../adapters/libp2p/host.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { CapabilityAnswers, readPeerCapabilities, type OwnAnswer } from '../adverts/capabilities.ts'
import type { AdvertDirectory } from '../adverts/directory.ts'
import type { AdvertPublisher } from '../adverts/publisher.ts'
import { KithError } from '../errors.ts'
import { EXCHANGE_PROTOCOL } from '../exchange/protocol.ts'
import { BoundedQueue } from '../lib/bounded-queue.ts'
import type { EventBus } from '../observe/events.ts'
import type { Bindings } from '../peers/bindings.ts'
import { CONTROL_PROTOCOL } from '../peers/control-codec.ts'
import { nodeOf } from '../peers/did.ts'
import type { TrustBook } from '../peers/trust-book.ts'
import type { Identity } from '../ports/identity.ts'
import type { ExchangeClient } from '../ports/exchange.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Standing } from '../ports/standing.ts'
import { VERSION } from '../version.ts'
import type { Start } from './start.ts'

/** Peers asked for their bindings at once, and waiting. */
const ASKING = { concurrency: 4, waitingMax: 1024 }

export interface AnswerComponents {
  readonly identity: Identity
  readonly publisher: AdvertPublisher
  readonly bindings: Bindings
  readonly standing: Pick<Standing, 'accessOf'>
}

/** The signed answer for a peer. */
export function answerCapabilities({ config }: Start, components: AnswerComponents): (peer: string) => Promise<Uint8Array> {
  const { publisher, bindings, standing } = components
  const { serveMinTrust, maxBytes, quotaBytesPerDay, maxConcurrent } = config.proxy
  const answerFor = (peer: string): OwnAnswer | null => {
    const head = publisher.head()
    if (head === null) return null
    const isServed = config.ipfs.type !== 'gateway-only' && standing.accessOf(peer) >= serveMinTrust
    return {
      seq: head.seq,
      caps: head.caps,
      ...(isServed && {
        proxy: { maxBytes: count(maxBytes), quotaBytesPerDay: count(quotaBytesPerDay), maxConcurrent: count(maxConcurrent) }
      }),
      version: VERSION,
      protocols: [EXCHANGE_PROTOCOL, CONTROL_PROTOCOL],
      bindings: bindings.own()
    }
  }
  const answers = new CapabilityAnswers({ ...components, clock, answerFor })
  return async peer => {
    const answer = await answers.for(peer)
    if (answer === null) throw new KithError('UNAVAILABLE', 'this node has no advert yet')
    return answer
  }
}

/** JSON knows no infinity: 0 stands for no limit. */
function count(limit: number): number {
  return Number.isSafeInteger(limit) ? limit : 0
}

export interface AskComponents {
  readonly host: Pick<Host, 'self' | 'on' | 'isConnected' | 'peers'>
  readonly directory: Pick<AdvertDirectory, 'capabilitiesOf'>
  readonly events: EventBus
  readonly bindings: Pick<Bindings, 'take' | 'boundDids'>
  /** Tells when the operator names somebody. */
  readonly book: Pick<TrustBook, 'onChange'>
  readonly exchange: Pick<ExchangeClient, 'capabilities'>
}

/**
 * Peers whose advert says that they have bindings are asked for them, once a connection, and again when the operator
 * names a person whose keys could not be looked up before.
 */
export function askForBindings({ log, parts }: Pick<Start, 'log' | 'parts'>, components: AskComponents): void {
  const { host, directory, events, bindings, book, exchange } = components
  const asked = new Set<string>()
  const queue = parts.use(new BoundedQueue({ ...ASKING, onError: err => log.debug({ err }, 'a peer did not show who speaks for it') }))
  const look = async (peer: string, options: AbortOptions): Promise<void> => {
    const said = await readPeerCapabilities(peer, await exchange.capabilities(peer, options), { self: host.self, clock })
    await bindings.take(peer, said.bindings, options)
  }
  const ask = (peer: string): void => {
    const caps = directory.capabilitiesOf(peer)
    if (!host.isConnected(peer) || caps === undefined) return
    const { bindings: shown = 0 } = caps
    // Whoever spoke for it does so no more.
    if (shown === 0 && bindings.boundDids(peer).length > 0) queue.push(async () => void (await bindings.take(peer, [])))
    if (shown > 0 && queue.push(async options => await look(peer, options))) asked.add(peer)
  }
  host.on({ disconnected: peer => asked.delete(peer) })
  book.onChange(did => {
    if (nodeOf(did) === undefined) for (const { peer } of host.peers()) ask(peer)
  })
  parts.defer(
    events.subscribe(({ type, peerId }) => {
      if (type === 'advert.received' && typeof peerId === 'string' && !asked.has(peerId)) ask(peerId)
    })
  )
}
