/** What is known of a content without asking anybody: `stat` and `has`, along a path if one is given. */
import type { CID } from 'multiformats/cid'
import { isDirectory, resolvePath } from '../content/directory.ts'
import { directorySize, isWhole, localBlocks, statOf } from '../content/facts.ts'
import type { Found, Library } from '../content/library.ts'
import { fileSize, getNode, type GetBlock } from '../dag/file.ts'
import { KithError } from '../errors.ts'
import { contentUri, hex, IDENTITY_CODE, RAW_CODEC, type ContentRef } from '../model/content-id.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { BlockReader } from '../ports/serving.ts'
import type { StatResult } from '../rpc/services.ts'

/** Where a path below a content ends, and the record that vouches for it. */
interface Located {
  readonly cid: CID
  readonly found: Found
  readonly reader: BlockReader
}

/** @throws NOT_FOUND if it is not recorded here, or not whole enough to follow the path */
export async function statLocal(library: Library, ref: ContentRef, options: AbortOptions): Promise<StatResult> {
  const located = await locate(library, ref, options)
  if (located === undefined) throw new KithError('NOT_FOUND', 'this content is not stored here; get fetches it', { attempts: [] })
  const { cid, found, reader } = located
  return cid.equals(found.record.root) ? statOf(found, (await localBlocks(reader, cid)).local) : await statBelow(located, options)
}

/** Whether a recorded content, or what a path below one names, can be read here to its end. */
export async function hasLocal(library: Library, ref: ContentRef, options: AbortOptions): Promise<boolean> {
  if (ref.cid?.multihash.code === IDENTITY_CODE && ref.path.length === 0) return true // its bytes are in its address
  const located = await locate(library, ref, options).catch((error: unknown) => {
    if (error instanceof KithError && error.code === 'NOT_FOUND') return undefined
    throw error
  })
  return located !== undefined && (await isWhole(located.reader, located.cid))
}

async function locate(library: Library, ref: ContentRef, options: AbortOptions): Promise<Located | undefined> {
  const above = library.find(ref)
  if (above === undefined) return undefined
  const cid = await resolvePath(getFrom(library.home(above.realm)), above.record.root, ref.path, options)
  const found = library.findRoot(cid) ?? above
  return { cid, found, reader: library.home(found.realm) }
}

/** A part of a recorded directory: it shares the record's privacy, pin and dates. */
async function statBelow({ cid, found: { realm, record }, reader }: Located, options: AbortOptions): Promise<StatResult> {
  const get = getFrom(reader)
  const node = await getNode(get, cid, options)
  const { total, local } = await localBlocks(reader, cid)
  const isPublic = realm !== 'own'
  return {
    cid: cid.toString(),
    uri: contentUri(cid, isPublic),
    size: isDirectory(node) ? await directorySize(get, node, options) : fileSize(node),
    blocks: total,
    localBlocks: local,
    privacy: isPublic ? 'public' : 'private',
    pinned: record.pinned,
    ...(cid.code === RAW_CODEC ? { sha256: hex(cid.multihash.digest) } : {}),
    createdAt: new Date(record.createdAt).toISOString(),
    lastAccess: new Date(record.lastAccess).toISOString()
  }
}

function getFrom(reader: BlockReader): GetBlock {
  return async (cid, options) => {
    const block = await reader.get(cid, options)
    if (block === undefined) throw new KithError('NOT_FOUND', `block ${cid.toString()} is not here; get fetches it`, { attempts: [] })
    return block
  }
}
