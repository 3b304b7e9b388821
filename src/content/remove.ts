/**
 * Removal: the record goes first, then the blocks that nothing else needs, so that nothing of it is served or
 * advertised afterwards. A crash in between leaves blocks without a record, never a record without its blocks.
 *
 * What is needed is found by walking from the remaining roots; nothing counts references. While a root cannot be
 * walked nothing is deleted, for "unreadable" is not "unneeded": the blocks stay, and are withheld from others.
 */
import type { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { walkLocal } from '../dag/skeleton.ts'
import { KithError } from '../errors.ts'
import { blockKey, SHA2_256_CODE, type ContentRef } from '../model/content-id.ts'
import { REALMS } from '../model/privacy.ts'
import type { BlockStore } from '../ports/block-store.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Found, Library } from './library.ts'

/** Records read a page while marking. */
const PAGE = 1000

/**
 * Every record of a content, in whatever realm: what was fetched first and put later has two.
 *
 * @throws INVALID_PARAMS for a path: what lies below a root is kept by the root
 */
export function recordsToRemove(library: Library, ref: ContentRef): Found[] {
  if (ref.path.length > 0) throw new KithError('INVALID_PARAMS', 'only whole contents are removed: name the root without a path')
  const root = ref.cid ?? library.find(ref)?.record.root
  return root === undefined
    ? []
    : REALMS.flatMap(realm => {
        const record = library.realms[realm].records.get(root)
        return record === undefined ? [] : [{ realm, record }]
      })
}

/** Before anything is removed. @throws CONFLICT if one is pinned and not forced */
export function assertRemovable(found: readonly Found[], force: boolean): void {
  const pinned = found.find(({ record }) => record.pinned)?.record.root.toString()
  if (pinned === undefined || force) return
  throw new KithError('CONFLICT', `${pinned} is pinned (put pins what it stores). Remove it anyway with force (kith rm --force).`, {
    cid: pinned
  })
}

/** @throws CONFLICT if pinned and not forced */
export async function removeContent(library: Library, found: Found, force: boolean): Promise<void> {
  const { realm, record } = found
  assertRemovable([found], force)
  const { blocks, records, withheld } = library.realms[realm]
  const doomed = await distinctBlocks(blocks, record.root)
  if (realm === 'own') {
    const digests = [...doomed.values()].map(cid => cid.multihash.bytes)
    if (record.sha256 !== undefined) digests.push(createDigest(SHA2_256_CODE, record.sha256).bytes)
    await library.rememberPrivate(digests)
  }
  using sweep = library.births[realm].beginSweep()
  await records.remove(record.root)
  const isSure = await spareNeeded(doomed, blocks, records)
  for (const [key, cid] of doomed) {
    if (isSure) await blocks.delete(cid, () => !sweep.isSafe(key))
    else if (sweep.isSafe(key)) withheld.add(cid.multihash.bytes, 'removed')
  }
  await blocks.flush()
}

/** All distinct blocks of a DAG that are here; what is missing ends that branch. */
async function distinctBlocks(blocks: BlockStore, root: CID): Promise<Map<string, CID>> {
  const found = new Map<string, CID>()
  const walk = await walkLocal(blocks, root)
  for (const cid of walk.nodes) found.set(blockKey(cid), cid)
  for (const { cid } of walk.leaves) found.set(blockKey(cid), cid)
  return found
}

/** Takes out of `doomed` whatever the remaining records reach. @returns false if a root could not be walked whole */
async function spareNeeded(doomed: Map<string, CID>, blocks: BlockStore, records: RecordStore): Promise<boolean> {
  let isSure = true
  let cursor: string | undefined
  do {
    const page = records.list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const { root } of page.items) {
      const walk = await walkLocal(blocks, root)
      isSure &&= walk.done
      for (const cid of walk.nodes) doomed.delete(blockKey(cid))
      for (const { cid } of walk.leaves) doomed.delete(blockKey(cid))
    }
    cursor = page.cursor
  } while (cursor !== undefined && doomed.size > 0)
  return isSure
}
