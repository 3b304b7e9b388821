/**
 * Makes stored blocks content of this node: which realm a root belongs to, and its record. The record is written after
 * every block, so a crash leaves blocks without a record (unborn, deleted at the next start), never the other way.
 */
import type { CID } from 'multiformats/cid'
import { KithError } from '../errors.ts'
import { isSafeName, type ContentRef } from '../model/content-id.ts'
import type { PrivacyClass, Realm } from '../model/privacy.ts'
import type { Bytes } from '../model/units.ts'
import type { EventBus } from '../observe/events.ts'
import type { Clock } from '../ports/clock.ts'
import type { ContentRecord } from '../ports/record-store.ts'
import type { PutParams } from '../rpc/services.ts'
import { BlockWriter } from './block-writer.ts'
import type { Library } from './library.ts'
import { assertRemovable, recordsToRemove } from './remove.ts'

/** Stands for the operator among names of tokens; none can be called so. */
const OPERATOR = '*'

/** A root whose blocks are all stored. */
export interface NewContent {
  readonly root: CID
  readonly kind: 'file' | 'directory'
  readonly size: Bytes
  /** Distinct blocks, root included. */
  readonly blocks: number
  readonly sha256?: Uint8Array | undefined
}

export interface RecorderComponents {
  readonly library: Library
  readonly clock: Clock
  readonly events: EventBus
}

export class Recorder {
  readonly #parts: RecorderComponents

  constructor(components: RecorderComponents) {
    this.#parts = components
  }

  writerFor(privacy: PrivacyClass): BlockWriter {
    const realm = realmOf(privacy)
    return new BlockWriter(this.#parts.library.births[realm], this.#parts.library.realms[realm])
  }

  /**
   * The class a root is recorded under when it is put: what is public here stays so.
   *
   * @param asked what the caller said himself, if anything
   * @throws CONFLICT (recorded private, public asked for) · ALREADY_PUBLIC (public, private asked for)
   */
  classFor(root: CID, wanted: PrivacyClass, asked: PrivacyClass | undefined): PrivacyClass {
    const { own, public: open } = this.#parts.library.realms
    const cid = root.toString()
    if (asked === 'public' && own.records.get(root) !== undefined)
      throw new KithError(
        'CONFLICT',
        `this content is recorded as private here. Making it public on purpose comes with content.publish, which this version does not have yet.`,
        { cid }
      )
    if (open.records.get(root) === undefined) return wanted
    if (asked === 'private')
      throw new KithError(
        'ALREADY_PUBLIC',
        `this content is already public here; what was told to the world cannot be made private again`,
        { cid }
      )
    return 'public'
  }

  /** Durable when it returns. Whoever calls has {@link BlockWriter.release released} the blocks, and keeps them after. */
  async record(content: NewContent, privacy: PrivacyClass, params: PutParams): Promise<ContentRecord> {
    const { records } = this.#parts.library.realms[realmOf(privacy)]
    const now = this.#parts.clock.now()
    const before = records.get(content.root)
    const record: ContentRecord = {
      ...pick(before),
      ...named(before, params),
      ...putBy(before, params.by),
      root: content.root,
      kind: content.kind,
      size: content.size,
      blocks: content.blocks,
      createdAt: before?.createdAt ?? now,
      lastAccess: now,
      pinned: (params.pin ?? true) || before?.pinned === true,
      ...(content.sha256 === undefined ? {} : { sha256: content.sha256 })
    }
    await records.put(record)
    return record
  }

  /** To be said once the blocks are kept. */
  announce({ root, size, putBy: names }: ContentRecord, privacy: PrivacyClass): void {
    const audience = { realm: realmOf(privacy), ...(names === undefined ? {} : { putBy: names }) }
    this.#parts.events.emit('content.stored', { cid: root.toString(), size, privacy }, audience)
  }
}

/**
 * Whose a record is: names are added and none is taken away. A record without names is the operator's alone; once
 * tokens are named, he is one of the names if he put it too, so that no token takes away what is his.
 *
 * @param before the record there is, if any
 * @param by name of the token; absent: the operator
 */
export function putBy(before: Pick<ContentRecord, 'putBy'> | undefined, by: string | undefined): Pick<ContentRecord, 'putBy'> {
  if (before === undefined) return by === undefined ? {} : { putBy: [by] }
  if (before.putBy === undefined && by === undefined) return {}
  return { putBy: [...new Set([...(before.putBy ?? [OPERATOR]), by ?? OPERATOR])] }
}

/** Whether somebody else than `by` put it too, or he did not put it at all. */
export function isOthers({ putBy: names }: Pick<ContentRecord, 'putBy'>, by: string): boolean {
  return names === undefined || names.some(name => name !== by)
}

/**
 * Takes the name of a token away from a content that others put or fetched too: it stays, and is no longer the token's.
 *
 * @returns false, and nothing is changed, if it is the token's alone or not its own
 * @throws CONFLICT if it is pinned and not forced
 */
export async function disown(library: Library, ref: ContentRef, by: string, force: boolean): Promise<boolean> {
  const [known] = recordsToRemove(library, ref)
  if (known === undefined) return false
  return await library.inTurn(known.record.root, async () => {
    const shared = recordsToRemove(library, ref).filter(({ record }) => record.putBy?.includes(by) === true && isOthers(record, by))
    assertRemovable(shared, force)
    for (const { realm, record } of shared) await library.realms[realm].records.put(without(record, by))
    return shared.length > 0
  })
}

function without({ putBy: names = [], ...record }: ContentRecord, by: string): ContentRecord {
  const others = names.filter(name => name !== by)
  return others.every(name => name === OPERATOR) ? record : { ...record, putBy: others }
}

/** What others named stays as they named it when a token puts the same bytes; the operator may name anew what he puts. */
function named(before: ContentRecord | undefined, params: PutParams): ReturnType<typeof pick> {
  const names = pick(params)
  return before !== undefined && params.by !== undefined && isOthers(before, params.by) ? {} : names
}

function realmOf(privacy: PrivacyClass): Realm {
  return privacy === 'public' ? 'public' : 'own'
}

function pick(from: Pick<PutParams, 'name' | 'contentType' | 'type'> | undefined): Pick<ContentRecord, 'name' | 'contentType' | 'type'> {
  const { name, contentType, type } = from ?? {}
  if (name !== undefined && !isSafeName(name))
    throw new KithError('INVALID_PARAMS', `the name "${name}" is not allowed: no "/", "\\" or control characters, at most 255 bytes`, {
      name
    })
  return {
    ...(name === undefined ? {} : { name }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(type === undefined ? {} : { type })
  }
}
