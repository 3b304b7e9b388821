/** What to say of a block that was here, is not, and was not found elsewhere either. Pure. */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import type { ContentRecord } from '../ports/record-store.ts'

/** Ends of a search that found the block nowhere. Any other, such as a full disk, says more by itself. */
const FOUND_NOWHERE: readonly string[] = ['NOT_FOUND', 'TIMEOUT', 'INTEGRITY']

interface Lost {
  readonly block: CID
  readonly isPublic: boolean
  /** Of the content that the block is a part of; undefined if it is not recorded here. */
  readonly record: ContentRecord | undefined
}

/** @returns the error of the search, unless the content was to be kept here: then that it is damaged, and what to do */
export function lostBlock({ block, isPublic, record }: Lost, error: unknown): unknown {
  if (record === undefined) return error
  if (!isPublic) return lostPrivate(block, error)
  // What is not pinned may be here in part only, and nothing is wrong with that.
  if (!record.pinned || !(error instanceof KithError) || !FOUND_NOWHERE.includes(error.code)) return error
  return new KithError(
    'INTEGRITY',
    `block ${block.toString()} of this content, which is pinned here, is missing or damaged on this disk, and nobody who was asked gave another copy (${error.message}). When somebody who has it can be reached: kith verify ${record.root.toString()} --repair. Or put the content again from where it came.`,
    { ...error.data, cid: block.toString() },
    { cause: error }
  )
}

/** Only trusted peers may be asked for private content, and none of them has it. */
function lostPrivate(block: CID, cause: unknown): KithError {
  return new KithError(
    'INTEGRITY',
    `block ${block.toString()} of this private content is missing or damaged on this disk, and no peer you trust gave another copy. Put the content again from where it came.`,
    { cid: block.toString() },
    { cause }
  )
}
