/** Gossipsub frames made by hand, for peers that do not keep to the rules. */
import type { PrivateKey } from '@libp2p/interface'
import { varint } from 'multiformats'
import { concat } from 'uint8arrays'
import type { Host } from '../../src/adapters/libp2p/host.ts'
import type { PeerStream } from '../../src/ports/network.ts'

export const MESHSUB = '/meshsub/1.2.0'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

export function prefixed(bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(varint.encodingLength(bytes.byteLength))
  varint.encodeTo(bytes.byteLength, length)
  return concat([length, bytes])
}

const field = (number: number, bytes: Uint8Array): Uint8Array => concat([Uint8Array.of(number * 8 + 2), prefixed(bytes)])

export function subscription(topic: string): Uint8Array {
  return field(1, concat([Uint8Array.of(0x08, 1), field(2, utf8(topic))]))
}

/** `backoff`: a varint, already encoded. */
export function prune(topic: string, backoff: readonly number[]): Uint8Array {
  return field(3, field(4, concat([field(1, utf8(topic)), Uint8Array.of(0x18, ...backoff)])))
}

export interface RawMessage {
  readonly topic: string
  readonly data: Uint8Array
  /** Who is said to have signed it; absent: the signer. */
  readonly from?: Uint8Array
  readonly key?: Uint8Array
  readonly seqno?: number
}

export async function message(signer: PrivateKey, { topic, data, from, key, seqno = 1 }: RawMessage): Promise<Uint8Array> {
  const number = new Uint8Array(8)
  new DataView(number.buffer).setUint32(4, seqno)
  const author = from ?? signer.publicKey.toMultihash().bytes
  const unsigned = concat([field(1, author), field(2, data), field(3, number), field(4, utf8(topic))])
  const signature = await signer.sign(concat([utf8('libp2p-pubsub:'), unsigned]))
  return field(2, concat([unsigned, field(5, signature), ...(key === undefined ? [] : [field(6, key)])]))
}

/** Sends frames on a stream of its own; the last is taken when `done` resolves. */
export async function speak(attacker: Host, victim: string, frames: Iterable<Uint8Array>): Promise<PeerStream> {
  const stream = await attacker.open(victim, MESHSUB)
  for (const frame of frames) await stream.write([prefixed(frame)])
  return stream
}

/** What is looked at of a host's gossipsub. */
interface Pubsub {
  getSubscribers(topic: string): unknown[]
  readonly streamsOutbound: ReadonlyMap<string, unknown>
}

/** Resolves when `host` knows that a peer listens to the topic and has a stream to it: what it publishes earlier does not reach that peer. */
export async function isHeard(host: Host, peer: string, topic: string): Promise<void> {
  const { pubsub } = host.libp2p.services as { pubsub: Pubsub }
  while (!pubsub.streamsOutbound.has(peer) || !pubsub.getSubscribers(topic).map(String).includes(peer))
    await new Promise(resolve => {
      setImmediate(resolve)
    })
}
