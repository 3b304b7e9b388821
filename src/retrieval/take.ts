/** The step from what a source sent to what the session keeps, the same for every kind of source. */
import type { CID } from 'multiformats/cid'
import { BLOCK_BYTES_MAX } from '../model/block.ts'
import { SourceError } from '../ports/block-source.ts'
import type { Run } from './rung.ts'
import type { DagSession } from './session.ts'

/** Takes one block; undefined: the address of a block that is no part of the content. */
export type Accept = (cid: CID | undefined, bytes: Uint8Array) => Promise<void>

/** @throws what {@link DagSession.accept} throws · SourceError for blocks larger than any or that nobody asked for */
export async function accept(session: DagSession, run: Run, cid: CID | undefined, bytes: Uint8Array): Promise<void> {
  if (cid === undefined) throw new SourceError('fault', 'it sent a block nobody asked for')
  if (bytes.byteLength > BLOCK_BYTES_MAX) throw new SourceError('corrupt', `it sent a block of more than ${BLOCK_BYTES_MAX} bytes`)
  await session.accept(cid, bytes, verified => {
    run.verified(verified)
  })
}

/** Once everything is here, it does not matter how the source ends. */
export async function unlessDone<T>(session: DagSession, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (session.isDone) return undefined
    throw error
  }
}
