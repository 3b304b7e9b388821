/** `content.list`: the records of all realms as one list, each content once, page by page. Asks nobody. */
import { localBlocks, statOf } from '../content/facts.ts'
import type { Found, Library } from '../content/library.ts'
import { KithError } from '../errors.ts'
import { Turns } from '../lib/turns.ts'
import { REALMS, type Realm } from '../model/privacy.ts'
import type { ContentServices, StatResult } from '../rpc/services.ts'

/** Records a page unless asked otherwise. */
const LIST_LIMIT_DEFAULT = 100
/** Cached content up to this many blocks is counted block by block: a page of 1,000 is done within a second or two. */
const COUNTED_BLOCKS_MAX = 64

type ListParams = Parameters<ContentServices['list']>[0]

/** @throws INVALID_PARAMS for a cursor this did not give */
export async function listContent(library: Library, params: ListParams): ReturnType<ContentServices['list']> {
  const realms = REALMS.filter(realm => params.privacy === undefined || (params.privacy === 'private') === (realm === 'own'))
  const limit = params.limit ?? LIST_LIMIT_DEFAULT
  const items: StatResult[] = []
  const turns = new Turns()
  let at: Place | undefined = readCursor(params.cursor, realms)
  while (at !== undefined && items.length < limit) {
    const { realm, cursor }: Place = at
    const page = library.realms[realm].records.list({
      limit: limit - items.length,
      ...(cursor === undefined ? {} : { cursor }),
      ...(params.type === undefined ? {} : { type: params.type })
    })
    for (const record of page.items) {
      await turns.step({})
      // Fetched first and put later, it stands in two realms: the one that decides its class lists it.
      if (library.findRoot(record.root)?.realm === realm) items.push(await summaryOf(library, { realm, record }))
    }
    at = page.cursor === undefined ? nextRealm(realm, realms) : { realm, cursor: page.cursor }
  }
  return at === undefined ? { items } : { items, cursor: `${at.realm}:${at.cursor ?? ''}` }
}

interface Place {
  readonly realm: Realm
  readonly cursor?: string
}

/**
 * What is put is put whole, so its record tells how many blocks are here (what a disk lost since, `stat` and `verify`
 * find). In the cache, blocks may have gone with other content: they are counted as far as that is cheap.
 */
async function summaryOf(library: Library, found: Found): Promise<StatResult> {
  const { realm, record } = found
  const isCounted = realm === 'cache' && record.blocks <= COUNTED_BLOCKS_MAX
  return statOf(found, isCounted ? (await localBlocks(library.home(realm), record.root)).local : record.blocks)
}

function nextRealm(realm: Realm, realms: readonly Realm[]): Place | undefined {
  const next = realms[realms.indexOf(realm) + 1]
  return next === undefined ? undefined : { realm: next }
}

function readCursor(cursor: string | undefined, realms: readonly Realm[]): Place {
  const [name = '', ...rest] = (cursor ?? `${realms[0] ?? 'public'}:`).split(':')
  const realm = realms.find(candidate => candidate === name)
  if (realm === undefined)
    throw new KithError('INVALID_PARAMS', `the cursor "${cursor ?? ''}" is not one this method gave; begin again without it`, { cursor })
  const inner = rest.join(':')
  return inner === '' ? { realm } : { realm, cursor: inner }
}
