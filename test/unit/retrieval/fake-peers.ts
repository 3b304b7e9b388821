/** Peers that are only as real as retrieval sees them: what each has, says and does is the test's, and who is asked is written down. */
import type { CID } from 'multiformats/cid'
import { SkeletonWalk } from '../../../src/dag/skeleton.ts'
import { ProtocolOffence } from '../../../src/exchange/frames.ts'
import { EXCHANGE_PROTOCOL } from '../../../src/exchange/protocol.ts'
import { abortable } from '../../../src/lib/deadline.ts'
import type { VerifiedBlock } from '../../../src/model/block.ts'
import { blockKey, bytesKey } from '../../../src/model/content-id.ts'
import type { PrivacyClass } from '../../../src/model/privacy.ts'
import { SourceError } from '../../../src/ports/block-source.ts'
import type { DagRequest, DagSink, ExchangeClient, Heard } from '../../../src/ports/exchange.ts'
import type { Network } from '../../../src/ports/network.ts'
import type { Claim } from '../../../src/ranking/ranking.ts'
import type { Claims } from '../../../src/retrieval/plan-peers.ts'
import { lonely } from './retriever-support.ts'

export interface FakePeer {
  readonly name: string
  isConnected: boolean
  claim: Claim
  readonly blocks: ReadonlyMap<string, VerifiedBlock>
  class: PrivacyClass
  behave: 'honest' | 'silent' | 'wrong' | 'faulty' | 'cut' | 'rude' | 'refusing' | 'busy'
  hasIpfs: boolean
  /** Cannot be dialled. */
  isAsleep: boolean
  /** Dialling it never ends. */
  isLost?: boolean
  /** Connected a moment ago: it has not said yet what it speaks, and says it to who waits. */
  isNew?: boolean
}

export class FakePeers {
  /** `have a`, `dag a`, `blocks a`, `proxy a`, `dial a`, as they came. */
  readonly asked: string[] = []
  readonly #peers = new Map<string, FakePeer>()
  readonly #heard = new Map<string, Heard>()
  readonly #held = new Map<string, (() => void)[]>()
  readonly #listeners = new Set<(peer: string) => void>()

  add(name: string, settings: Partial<Omit<FakePeer, 'name'>> = {}): FakePeer {
    const peer: FakePeer = {
      name,
      isConnected: true,
      claim: 'unknown',
      blocks: new Map(),
      class: 'public',
      behave: 'honest',
      hasIpfs: false,
      isAsleep: false,
      ...settings
    }
    this.#peers.set(name, peer)
    return peer
  }

  /** Who was asked for content, in order, each once. */
  get askedForContent(): string[] {
    return [
      ...new Set(this.asked.filter(each => !each.startsWith('have') && !each.startsWith('dial')).map(each => each.split(' ')[1] ?? ''))
    ]
  }

  get network(): Network {
    return {
      ...lonely(),
      on: ({ connected }) => {
        if (connected !== undefined) this.#listeners.add(connected)
        return () => {}
      },
      isConnected: peer => this.#peers.get(peer)?.isConnected === true,
      peers: () =>
        [...this.#peers.values()]
          .filter(({ isConnected }) => isConnected)
          .map(({ name, isNew = false }, index) => ({
            peer: name,
            addresses: [],
            since: index,
            protocols: isNew ? [] : [EXCHANGE_PROTOCOL],
            identified: !isNew,
            relayed: false
          }))
    }
  }

  /** So many bytes of it arrive, which are no whole block yet, or some other content's. */
  hear(name: string, bytes: number, at: number): void {
    this.#heard.set(name, { bytes: (this.#heard.get(name)?.bytes ?? 0) + bytes, at })
  }

  /** What it was asked while it was silent it answers now. */
  resume(name: string): void {
    for (const answer of this.#held.get(name) ?? []) answer()
    this.#held.delete(name)
  }

  async #awakened(peer: string): Promise<void> {
    await new Promise<void>(resolve => {
      this.#held.set(peer, [...(this.#held.get(peer) ?? []), resolve])
    })
  }

  /** It dials this node, and says nothing yet. */
  connects(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }

  get directory(): Claims {
    return {
      claimsOn: () => ({
        of: peer => this.#peers.get(peer)?.claim ?? 'unknown',
        claimants: () => [...this.#peers].flatMap(([name, { claim }]) => (claim === 'yes' ? [name] : []))
      }),
      capabilitiesOf: peer => ({ ipfsNode: { enabled: this.#peers.get(peer)?.hasIpfs === true } })
    }
  }

  readonly reach = async (peer: string): Promise<void> => {
    this.asked.push(`dial ${peer}`)
    const found = this.#peers.get(peer)
    if (found?.isLost === true) await new Promise<never>(() => {})
    if (found === undefined || found.isAsleep) throw new Error('it sleeps')
    found.isConnected = true
    found.isNew = false
  }

  get exchange(): ExchangeClient {
    return {
      speaks: peer => this.#peers.get(peer)?.isConnected === true && this.#peers.get(peer)?.isNew !== true,
      heard: peer => this.#heard.get(peer) ?? { bytes: 0, at: -Infinity },
      advert: async () => null,
      capabilities: async () => new Uint8Array(),
      have: async (peer, multihashes, options) => {
        const found = await this.#ask('have', peer, options)
        return multihashes.map(multihash => (found.blocks.has(bytesKey(multihash)) ? { have: true, class: found.class } : { have: false }))
      },
      dag: async (peer, request, sink, options) => {
        options.onPlace?.()
        const found = await this.#ask(request.hops === 1 ? 'proxy' : 'dag', peer, options)
        return await send(found, request, sink)
      },
      blocks: async (peer, { cids }, sink, options) => {
        options.onPlace?.()
        const found = await this.#ask('blocks', peer, options)
        let isWhole = true
        for (const [index, cid] of cids.entries()) {
          const bytes = bytesOf(found, cid)
          if (bytes === undefined) isWhole = false
          else await sink(index, bytes)
        }
        return isWhole ? 'ok' : 'not-found'
      }
    }
  }

  async #ask(what: string, peer: string, { signal }: { readonly signal?: AbortSignal | undefined }): Promise<FakePeer> {
    this.asked.push(`${what} ${peer}`)
    const found = this.#peers.get(peer)
    if (found === undefined || !found.isConnected) throw new SourceError('fault', 'it is not connected')
    if (found.behave === 'silent') await abortable(this.#awakened(peer), { signal })
    if (found.behave === 'faulty') throw new SourceError('fault', 'it hung up')
    if (found.behave === 'busy') throw new SourceError('refused', 'busy')
    if (found.behave === 'cut') throw brokenOff('truncated-frame')
    if (found.behave === 'rude') throw brokenOff('unexpected-frame')
    return found
  }
}

function brokenOff(offence: ProtocolOffence['offence']): SourceError {
  return new SourceError('fault', 'it broke the protocol', { cause: new ProtocolOffence(offence, offence) })
}

function bytesOf(peer: FakePeer, cid: CID): Uint8Array | undefined {
  const bytes = peer.blocks.get(blockKey(cid))?.bytes
  return peer.behave === 'wrong' ? bytes?.map(byte => byte ^ 1) : bytes
}

async function send(peer: FakePeer, { cid, skipNodes }: DagRequest, sink: DagSink): ReturnType<ExchangeClient['dag']> {
  if (peer.behave === 'refusing') return 'refused'
  if (cid === null || !peer.blocks.has(blockKey(cid))) return 'not-found'
  const walk = new SkeletonWalk(cid)
  for (let next = walk.next, index = 0; next !== undefined; next = walk.next, index++) {
    const block = peer.blocks.get(blockKey(next))
    if (block === undefined) return 'partial'
    if (index >= skipNodes) await sink.node(index, bytesOf(peer, next) ?? block.bytes)
    walk.accept(block)
  }
  for (const [index, leaf] of walk.leaves.entries()) {
    const bytes = bytesOf(peer, leaf.cid)
    if (bytes === undefined) return 'partial'
    await sink.leaf(index, bytes)
  }
  return 'ok'
}
