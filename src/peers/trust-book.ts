/**
 * What the operator set: levels, names and blocks, by DID. The only place access comes from. Durable: what was
 * answered survives a crash.
 */
import { KithError } from '../errors.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import { parseDid } from './did.ts'
import { storedTexts } from './stored-fields.ts'

/** More people than anybody knows; an app that invites in a loop ends here. */
const TRUST_ENTRIES_MAX = 10_000
/** Levels are percentages; access is a tenth of them. */
export const LEVEL_MAX = 100

export interface TrustRecord {
  /** 0–100; absent: never set. */
  readonly level?: number
  readonly name?: string
  readonly isBlocked?: true
  /** Blocked not by itself but because these speak or spoke for it: ends with their blocks. */
  readonly blockedFor?: readonly string[]
}

export interface TrustBookComponents {
  readonly state: StateStore
}

export class TrustBook {
  readonly #table: StateTable<TrustRecord>
  readonly #listeners = new Set<(did: string) => void>()

  constructor({ state }: TrustBookComponents) {
    this.#table = state.table('trust', readTrustRecord)
  }

  get(did: string): TrustRecord | undefined {
    return this.#table.get(did)
  }

  entries(): IterableIterator<readonly [did: string, record: TrustRecord]> {
    return this.#table.entries()
  }

  /**
   * The one way access is given or taken: by `trust.set` and by pairing. A block stays.
   *
   * @param did - a DID or PeerId
   * @param name - absent: the name it has stays
   * @throws KithError INVALID_PARAMS, QUOTA_EXCEEDED
   */
  async setLevel(did: string, level: number, name?: string): Promise<void> {
    if (!(level >= 0 && level <= LEVEL_MAX))
      throw new KithError('INVALID_PARAMS', `${level} is no level: it must be between 0 and ${LEVEL_MAX}`)
    await this.#write(did, { level, ...(name === undefined ? {} : { name }) })
  }

  /** Level and name go; a block stays. */
  async forgetLevel(did: string): Promise<void> {
    const known = this.#table.get(did)
    if (known === undefined || (known.level === undefined && known.name === undefined)) return
    const { level: _level, name: _name, ...rest } = known
    if (Object.keys(rest).length === 0) await this.#table.remove(did)
    else await this.#table.put(did, rest)
    this.#tell(did)
  }

  /** Access is 0 from here on, whatever the level, until {@link unblock}. */
  async block(did: string): Promise<void> {
    await this.#write(did, { isBlocked: true, blockedFor: [] })
  }

  /** A node, because of who speaks for it. */
  async blockFor(node: string, person: string): Promise<void> {
    const known = this.#table.get(node)
    const others = known?.blockedFor ?? []
    if ((known?.isBlocked === true && others.length === 0) || others.includes(person)) return
    await this.#write(node, { isBlocked: true, blockedFor: [...others, person] })
  }

  /** Nodes blocked because of this DID. */
  blockedFor(person: string): number {
    return [...this.#table.entries()].filter(([, record]) => record.blockedFor?.includes(person) === true).length
  }

  /** With a person go the nodes that were blocked because of it alone. */
  async unblock(did: string): Promise<void> {
    await this.#endBlock(did, [])
    for (const [node, { blockedFor }] of this.#table.entries())
      if (blockedFor?.includes(did) === true)
        await this.#endBlock(
          node,
          blockedFor.filter(person => person !== did)
        )
  }

  async #endBlock(did: string, others: readonly string[]): Promise<void> {
    const known = this.#table.get(did)
    if (known?.isBlocked === undefined) return
    const { isBlocked: _isBlocked, blockedFor: _blockedFor, ...rest } = known
    if (others.length > 0) await this.#table.put(did, { ...known, blockedFor: others })
    else if (Object.keys(rest).length === 0) await this.#table.remove(did)
    else await this.#table.put(did, rest)
    this.#tell(did)
  }

  onChange(listener: (did: string) => void): void {
    this.#listeners.add(listener)
  }

  async #write(text: string, change: TrustRecord): Promise<void> {
    const did = parseDid(text)
    const known = this.#table.get(did)
    if (known === undefined && this.#table.size >= TRUST_ENTRIES_MAX)
      throw new KithError(
        'QUOTA_EXCEEDED',
        `${TRUST_ENTRIES_MAX} DIDs have a level or a block already; take some back with kith trust revoke`
      )
    const { blockedFor = [], ...record } = { ...known, ...change }
    await this.#table.put(did, { ...record, ...(blockedFor.length === 0 ? {} : { blockedFor }) })
    this.#tell(did)
  }

  #tell(did: string): void {
    for (const listener of this.#listeners) listener(did)
  }
}

function readTrustRecord(stored: unknown): TrustRecord {
  if (typeof stored !== 'object' || stored === null) throw new Error('a trust record is no object')
  const { level, name, isBlocked, blockedFor } = {
    level: undefined,
    name: undefined,
    isBlocked: undefined,
    blockedFor: undefined,
    ...stored
  }
  if (level !== undefined && typeof level !== 'number') throw new Error('the level of a trust record is no number')
  return {
    ...(level === undefined ? {} : { level }),
    ...(typeof name === 'string' ? { name } : {}),
    ...(isBlocked === true ? { isBlocked } : {}),
    ...(blockedFor === undefined ? {} : { blockedFor: storedTexts(blockedFor, 'for whom a node is blocked') })
  }
}
