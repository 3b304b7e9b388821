/**
 * Our block stores in the shape libraries of the field expect (`interface-blockstore`). What they write goes
 * through the one door and into one realm; what they read is looked for in the realms given, in order, and in no
 * other. A crash loses what the writing realm had not flushed.
 */
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import { CID } from 'multiformats/cid'
import { decode } from 'multiformats/hashes/digest'
import { concat } from 'uint8arrays'
import { KithError } from '../../errors.ts'
import { BLOCK_BYTES_MAX, verifyBlock } from '../../model/block.ts'
import { IDENTITY_CODE, RAW_CODEC } from '../../model/content-id.ts'
import type { BlockStore } from '../../ports/block-store.ts'
import type { AbortOptions } from '../../ports/options.ts'

/** As much of a store as is read from. */
export type ReadableBlocks = Pick<BlockStore, 'has' | 'get' | 'keys'>

export interface InterfaceBlockstoreInit {
  /** Takes every put, and every delete. */
  readonly write: BlockStore
  /** Looked in one after another. Name `write` here too if its blocks may be read. */
  readonly read: readonly ReadableBlocks[]
}

type Input = InputPair['bytes']
type Many<T> = Iterable<T> | AsyncIterable<T>

/** Known to libraries by its name. */
class NotFoundError extends KithError {
  constructor(cid: CID) {
    super('NOT_FOUND', `block ${cid.toString()} is not stored here`)
    this.name = 'NotFoundError'
  }
}

/** A view of the stores; it owns none of them. */
export function toInterfaceBlockstore(init: InterfaceBlockstoreInit): Blockstore {
  return new RealmBlockstore(init)
}

class RealmBlockstore implements Blockstore {
  readonly #write: BlockStore
  readonly #read: readonly ReadableBlocks[]

  constructor({ write, read }: InterfaceBlockstoreInit) {
    this.#write = write
    this.#read = read
  }

  /** True for identity CIDs: they carry their bytes. */
  async has(cid: CID, options: AbortOptions = {}): Promise<boolean> {
    options.signal?.throwIfAborted()
    if (isIdentity(cid)) return true
    for (const store of this.#read) if (await store.has(cid)) return true
    return false
  }

  /** @throws BlockMismatchError · KithError TOO_LARGE, QUOTA_EXCEEDED, UNAVAILABLE */
  async put(cid: CID, input: Input, options: AbortOptions = {}): Promise<CID> {
    options.signal?.throwIfAborted()
    const block = verifyBlock(cid, await collect(cid, input))
    if (!isIdentity(cid)) await this.#write.put(block, options)
    return cid
  }

  async *putMany(source: Many<InputPair>, options: AbortOptions = {}): AsyncGenerator<CID> {
    for await (const { cid, bytes } of source) yield await this.put(cid, bytes, options)
  }

  async *get(cid: CID, options: AbortOptions = {}): AsyncGenerator<Uint8Array> {
    options.signal?.throwIfAborted()
    yield await this.#find(cid, options)
  }

  async *getMany(source: Many<CID>, options: AbortOptions = {}): AsyncGenerator<Pair> {
    for await (const cid of source) {
      options.signal?.throwIfAborted()
      yield { cid, bytes: this.get(cid, options) }
    }
  }

  /** Every readable block once, as a raw CID: stores know multihashes only. */
  async *getAll(options: AbortOptions = {}): AsyncGenerator<Pair> {
    options.signal?.throwIfAborted()
    for (const [place, store] of this.#read.entries()) {
      const earlier = this.#read.slice(0, place)
      for await (const multihash of store.keys(options)) {
        const cid = CID.createV1(RAW_CODEC, decode(multihash))
        if (await anyHas(earlier, cid)) continue
        const block = await store.get(cid, options)
        if (block !== undefined) yield { cid, bytes: this.get(cid, options) }
      }
    }
  }

  async delete(cid: CID, options: AbortOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    await this.#write.delete(cid)
  }

  async *deleteMany(source: Many<CID>, options: AbortOptions = {}): AsyncGenerator<CID> {
    for await (const cid of source) {
      await this.delete(cid, options)
      yield cid
    }
  }

  async #find(cid: CID, options: AbortOptions): Promise<Uint8Array> {
    if (isIdentity(cid)) return verifyBlock(cid, cid.multihash.digest).bytes
    for (const store of this.#read) {
      const block = await store.get(cid, options)
      if (block !== undefined) return block.bytes
    }
    throw new NotFoundError(cid)
  }
}

function isIdentity(cid: CID): boolean {
  return cid.multihash.code === IDENTITY_CODE
}

async function anyHas(stores: readonly ReadableBlocks[], cid: CID): Promise<boolean> {
  for (const store of stores) if (await store.has(cid)) return true
  return false
}

/** At most one block's worth: a stream that goes on is cut off before it fills memory. */
async function collect(cid: CID, input: Input): Promise<Uint8Array> {
  if (input instanceof Uint8Array) return input
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of input) {
    size += chunk.byteLength
    if (size > BLOCK_BYTES_MAX)
      throw new KithError('TOO_LARGE', `block ${cid.toString()} has more than ${BLOCK_BYTES_MAX} bytes; so many are never taken`)
    chunks.push(chunk)
  }
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : concat(chunks, size)
}
