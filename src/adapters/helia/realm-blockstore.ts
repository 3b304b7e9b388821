/**
 * The one blockstore Helia sees: it reads the public realm and writes to the cache, so that nothing merely fetched
 * is ever served to a stranger. It can neither list nor delete.
 */
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import type { AbortOptions } from '../../ports/options.ts'

type Reading = Pick<Blockstore, 'has' | 'get'>
type Writing = Pick<Blockstore, 'put'>

export class RealmBlockstore implements Blockstore {
  readonly #readFrom: Reading
  readonly #writeTo: Writing

  constructor(components: { readonly readFrom: Reading; readonly writeTo: Writing }) {
    this.#readFrom = components.readFrom
    this.#writeTo = components.writeTo
  }

  has(cid: CID, options?: AbortOptions): boolean | Promise<boolean> {
    return this.#readFrom.has(cid, heliaOptions(options))
  }

  async *get(cid: CID, options?: AbortOptions): AsyncGenerator<Uint8Array> {
    yield* this.#readFrom.get(cid, heliaOptions(options))
  }

  async *getMany(cids: Iterable<CID> | AsyncIterable<CID>, options?: AbortOptions): AsyncGenerator<Pair> {
    for await (const cid of cids) yield { cid, bytes: this.get(cid, options) }
  }

  put(cid: CID, bytes: InputPair['bytes'], options?: AbortOptions): CID | Promise<CID> {
    return this.#writeTo.put(cid, bytes, heliaOptions(options))
  }

  async *putMany(pairs: Iterable<InputPair> | AsyncIterable<InputPair>, options?: AbortOptions): AsyncGenerator<CID> {
    for await (const { cid, bytes } of pairs) yield await this.put(cid, bytes, options)
  }

  // Helia's collector and its pins are never used: deletion belongs to the realm's own collection.
  async delete(): Promise<void> {
    throw notOffered()
  }
  // eslint-disable-next-line require-yield -- the interface wants a generator, the answer is a refusal
  async *deleteMany(): AsyncGenerator<CID> {
    throw notOffered()
  }
  // eslint-disable-next-line require-yield -- as above: whoever lists a store learns what it holds
  async *getAll(): AsyncGenerator<Pair> {
    throw notOffered()
  }
}

function notOffered(): Error {
  return new Error('the blockstore behind bitswap neither lists nor deletes')
}

/** `signal: undefined` is not the same as no signal under the exact optional types of the store interfaces. */
function heliaOptions(options?: AbortOptions): { signal?: AbortSignal } {
  return options?.signal === undefined ? {} : { signal: options.signal }
}
