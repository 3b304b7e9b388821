/**
 * DAGs as CAR: version 1 out, versions 1 and 2 in (https://ipld.io/specs/transport/car/). Owns the framing, nothing
 * else: what is read is NOT believed, the caller hashes every block; nothing is stored, so a crash loses nothing.
 *
 * Every length a file declares is checked before a byte is read for it: at most one section is in memory.
 */
import { decode, encode, Tagged } from 'cborg'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import { IDENTITY_BYTES_MAX } from '../model/content-id.ts'
import { MIB, type Bytes } from '../model/units.ts'
import type { AbortOptions } from '../ports/options.ts'
import { ByteReader } from './byte-reader.ts'
import type { GetBlock } from './file.ts'
import { walkDag } from './walk.ts'

/** Header of a CAR: 1,000 roots take 40 KB; the limit of the field. Bytes. */
const HEADER_BYTES_MAX = MIB
/** Roots of one CAR: each becomes a record that is checked on its own. */
const ROOTS_MAX = 1000
/** A CID: two varints, and a multihash of at most {@link IDENTITY_BYTES_MAX} bytes. Bytes. */
const CID_BYTES_MAX = IDENTITY_BYTES_MAX + 32
/** CBOR tag of a CID (DAG-CBOR specification); its bytes begin with a zero. */
const CID_TAG = 42
/** The fixed part of version 2 after its 11 bytes of pragma: 16 of characteristics, data offset and size, index offset. Bytes. */
const V2_HEADER_BYTES = 40

export interface CarLimits {
  readonly headerBytesMax?: Bytes
  readonly blockBytesMax?: Bytes
  readonly rootsMax?: number
}

export interface CarBlock {
  readonly cid: CID
  /** Not verified; the caller's to keep. */
  readonly bytes: Uint8Array
}

export interface OpenCar {
  readonly version: 1 | 2
  readonly roots: readonly CID[]
  /** In file order; once. Lets go of the source when it ends. @throws INTEGRITY saying where */
  blocks(): AsyncIterable<CarBlock>
  /** Lets go of the source without reading on; without effect after {@link blocks} has ended. */
  close(): Promise<void>
}

/** What is no CAR, or one no honest program writes. */
export class BadCarError extends KithError {
  constructor(at: Bytes, why: string) {
    super('INTEGRITY', `this is not a well-formed CAR: at byte ${at} ${why}. Make the file again, or get a complete copy of it.`, { at })
    this.name = 'BadCarError'
  }
}

/**
 * Reads the header of a CAR and hands out its blocks as they are asked for.
 *
 * @throws BadCarError (INTEGRITY) saying where · whatever `chunks` throws; the source is let go of then
 */
export async function openCar(chunks: AsyncIterable<Uint8Array>, limits: CarLimits = {}): Promise<OpenCar> {
  const reader = new ByteReader(chunks, (at, why) => new BadCarError(at, why))
  const close = async (): Promise<void> => {
    await reader.close()
  }
  try {
    const first = await readHeader(reader, limits)
    if (first.version === 1) return { version: 1, roots: first.roots, blocks: () => readBlocks(reader, limits), close }
    await enterV2(reader)
    const inner = await readHeader(reader, limits)
    if (inner.version !== 1) throw new BadCarError(reader.position, 'a CAR of version 2 holds something that is not version 1')
    return { version: 2, roots: inner.roots, blocks: () => readBlocks(reader, limits), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The bytes before the first block of a CARv1. */
export function carHeader(roots: readonly CID[]): Uint8Array {
  const header = encode({ roots: roots.map(root => new Tagged(CID_TAG, Uint8Array.of(0, ...root.bytes))), version: 1 })
  return Buffer.concat([varint.encodeTo(header.byteLength, new Uint8Array(varint.encodingLength(header.byteLength))), header])
}

/** One block as it stands in a CAR: its length and address, then its bytes (not copied). */
export function carBlock(cid: CID, bytes: Uint8Array): Uint8Array[] {
  const length = cid.bytes.byteLength + bytes.byteLength
  const lead = new Uint8Array(varint.encodingLength(length) + cid.bytes.byteLength)
  varint.encodeTo(length, lead)
  lead.set(cid.bytes, lead.byteLength - cid.bytes.byteLength)
  return [lead, bytes]
}

/**
 * A whole DAG as CARv1: depth first, each block once where it is first named, identity blocks left out
 * (`order=dfs; dups=n` of the trustless gateway specification). Memory: see {@link walkDag}.
 *
 * @param onBlock told of each block before it is given
 * @throws whatever `get` throws · BadDagError (INTEGRITY) for what no importer makes · TOO_LARGE beyond the limits
 */
export async function* carOf(
  root: CID,
  get: GetBlock,
  options: AbortOptions & { readonly onBlock?: (block: CarBlock) => void }
): AsyncGenerator<Uint8Array> {
  yield carHeader([root])
  for await (const { block } of walkDag(root, async (cid, opts) => ({ block: await get(cid, opts) }), options)) {
    options.onBlock?.(block)
    yield* carBlock(block.cid, block.bytes)
  }
}

type Header = { readonly version: 1; readonly roots: readonly CID[] } | { readonly version: 2 }

async function readHeader(reader: ByteReader, { headerBytesMax = HEADER_BYTES_MAX, rootsMax = ROOTS_MAX }: CarLimits): Promise<Header> {
  const at = reader.position
  const length = await reader.varint()
  if (length === undefined) throw new BadCarError(at, 'it ends before its header')
  if (length < 1 || length > headerBytesMax)
    throw new BadCarError(at, `it declares a header of ${length} bytes; 1 to ${headerBytesMax} are read`)
  const header = parseHeader(await reader.take(length), at)
  if (header.version === 1 && header.roots.length > rootsMax)
    throw new BadCarError(at, `it names ${header.roots.length} roots; at most ${rootsMax} are read`)
  return header
}

function parseHeader(bytes: Uint8Array, at: Bytes): Header {
  const { version, roots } = decodeHeader(bytes, at)
  if (version === 2 && roots === undefined) return { version }
  if (version !== 1) throw new BadCarError(at, 'its header names no version that is read here (1 or 2)')
  if (!Array.isArray(roots)) throw new BadCarError(at, 'its header lists no roots')
  return {
    version,
    roots: roots.map((root: unknown) => {
      if (root instanceof CID) return root
      throw new BadCarError(at, 'its header lists a root that is not a CID')
    })
  }
}

function decodeHeader(bytes: Uint8Array, at: Bytes): { version?: unknown; roots?: unknown } {
  try {
    const header: unknown = decode(bytes, {
      strict: true,
      allowIndefinite: false,
      rejectDuplicateMapKeys: true,
      tags: { [CID_TAG]: inner => rootCid(inner()) }
    })
    if (typeof header === 'object' && header !== null) return header
  } catch (error) {
    throw new BadCarError(at, `its header cannot be read: ${error instanceof Error ? error.message : 'not DAG-CBOR'}`)
  }
  throw new BadCarError(at, 'its header is not a map')
}

function rootCid(value: unknown): CID {
  if (!(value instanceof Uint8Array) || value[0] !== 0) throw new Error('a root does not begin with a zero byte')
  const { cid, length } = firstCid(value.subarray(1))
  if (length !== value.byteLength - 1) throw new Error('a root has bytes after its CID')
  return cid
}

/** Steps from the pragma to where the version 1 data begins, and ends the reader where they end. */
async function enterV2(reader: ByteReader): Promise<void> {
  const at = reader.position
  const fixed = await reader.take(V2_HEADER_BYTES)
  const view = new DataView(fixed.buffer, fixed.byteOffset, fixed.byteLength)
  const [offset, size] = [Number(view.getBigUint64(16, true)), Number(view.getBigUint64(24, true))]
  if (offset < at + V2_HEADER_BYTES || !Number.isSafeInteger(offset + size))
    throw new BadCarError(at, `its data cannot lie at ${offset} with ${size} bytes`)
  await reader.skip(offset - reader.position)
  reader.endAt(offset + size)
}

async function* readBlocks(reader: ByteReader, { blockBytesMax = BLOCK_BYTES_MAX }: CarLimits): AsyncGenerator<CarBlock> {
  try {
    for (;;) {
      const at = reader.position
      const length = await reader.varint()
      if (length === undefined) return
      if (length < 1 || length > blockBytesMax + CID_BYTES_MAX)
        throw new BadCarError(at, `it declares a block of ${length} bytes; at most ${blockBytesMax} are read, and its address before them`)
      yield splitSection(await reader.take(length), at, blockBytesMax)
    }
  } finally {
    await reader.close()
  }
}

function splitSection(section: Uint8Array, at: Bytes, blockBytesMax: Bytes): CarBlock {
  try {
    const { cid, length } = firstCid(section)
    const bytes = section.subarray(length)
    if (bytes.byteLength <= blockBytesMax) return { cid, bytes }
  } catch (error) {
    throw new BadCarError(at, `the address of a block cannot be read: ${error instanceof Error ? error.message : 'not a CID'}`)
  }
  throw new BadCarError(at, `a block has more than ${blockBytesMax} bytes`)
}

/** The CID at the beginning, in a copy: addresses are kept for long, the bytes around them are not. */
function firstCid(bytes: Uint8Array): { readonly cid: CID; readonly length: Bytes } {
  const { size, digestSize } = CID.inspectBytes(bytes.subarray(0, CID_BYTES_MAX))
  if (digestSize > IDENTITY_BYTES_MAX) throw new Error(`a digest of ${digestSize} bytes, at most ${IDENTITY_BYTES_MAX} are read`)
  if (size > bytes.byteLength) throw new Error('it is cut off')
  return { cid: CID.decode(bytes.slice(0, size)), length: size }
}
