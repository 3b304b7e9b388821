/**
 * The content services as one token sees them: its realms and what it put itself, paths below its own. Everything
 * else behaves as what does not exist here. The domain behind it knows nothing of tokens but their names.
 */
import { KithError } from '../errors.ts'
import { parseContent } from '../model/content-id.ts'
import type { ContentRef } from '../model/content-id.ts'
import type { Audience } from '../observe/events.ts'
import type { AccessToken } from './access.ts'
import type { Decoys } from './decoy.ts'
import { sees, seesRealm } from './realm-view.ts'
import { allowedPath, type AllowedPath } from './scoped-paths.ts'
import type { SealedCursors } from './sealed-cursors.ts'
import type { ContentParam, ContentServices, PutResult, PutSource, StatResult, VerifyResult } from './services.ts'

/**
 * Where a content (or a single block) lies here and who put it; undefined if nothing of it is here, nor was private
 * here once. Answers of the domain, whoever asks.
 */
export type ContentFacts = (ref: ContentRef) => Promise<Audience | undefined>

/**
 * Takes a token's name away from a content that others put too, which stays.
 *
 * @returns false if it is the token's alone
 * @throws KithError CONFLICT if it is pinned and not forced
 */
export type Disown = (ref: ContentRef, by: string, force: boolean) => Promise<boolean>

export interface ScopedContentComponents {
  readonly content: ContentServices
  readonly facts: ContentFacts
  /** Absent: what others put too cannot be removed by a token. */
  readonly disown?: Disown | undefined
  readonly decoys: Decoys
  readonly cursors: SealedCursors
}

/** Whose bytes anybody may fetch from anywhere: hiding them would hide nothing. */
const OPEN_REALMS: readonly string[] = ['public', 'cache']
/** Items of a page unless asked otherwise. */
const LIST_LIMIT_DEFAULT = 100
/** Records one call looks through for those the token sees; then it answers what it has. */
const EXAMINED_MAX = 10_000

/** @param restored - text about the decoy as text about what was asked for */
export type Ask<T> = (content: ContentParam, restored: (text: string) => string) => Promise<T>

export function scopedContent(parts: ScopedContentComponents, token: AccessToken): ContentServices {
  const { content } = parts
  const by = token.name
  const view = new View(parts, token)
  const pathOf = async (path: string): Promise<AllowedPath> => await allowedPath(token, path)
  return {
    put: async (source, params, options) => {
      const allowed = await allowedSource(source, pathOf)
      return asNew(await content.put(allowed.source, { ...params, by, within: allowed.within }, options), token)
    },
    get: async ({ path, ...params }, options) => {
      const real = path === undefined ? {} : await pathOf(path)
      const result = await view.fetching(
        params.content,
        async each => await content.get({ ...params, ...real, content: each, by }, options)
      )
      return path === undefined ? result : { ...result, path }
    },
    open: async (params, options) =>
      await view.fetching(params.content, async each => {
        const opened = await content.open({ ...params, content: each, by }, options)
        if (await view.isOwn(parseContent(each))) return opened
        const { name: _name, contentType: _type, ...rest } = opened
        return rest
      }),
    ls: async (param, options) => await view.fetching(param, async each => await content.ls(each, options)),
    export: async (params, options) => {
      const allowed = await pathOf(params.path)
      return await view.fetching(params.content, async each => await content.export({ ...params, ...allowed, content: each }, options))
    },
    import: async (params, options) => await content.import({ ...params, ...(await pathOf(params.path)), by }, options),
    stat: async (param, options) =>
      await view.here(param, async each => await view.shown(parseContent(each), await content.stat(each, options))),
    has: async (param, options) => await view.here(param, async each => await content.has(each, options)),
    link: async params => await view.here(params.content, async each => await content.link({ ...params, content: each })),
    privacy: async param => await view.here(param, async each => await content.privacy(each)),
    rm: async params => await view.here(params.content, async each => await view.remove({ ...params, content: each })),
    list: async params => await view.list(params),
    verify: async (params, options) => {
      const { content: one } = params
      if (one !== undefined) return await view.here(one, async each => await content.verify({ ...params, content: each }, options))
      return await verifyAll(view, async each => {
        options.signal?.throwIfAborted()
        return await content.verify({ ...params, content: each }, options)
      })
    }
  }
}

/** Decides, content by content, whether the real one is asked about or its decoy. */
export class View {
  readonly #parts: ScopedContentComponents
  readonly #token: AccessToken

  constructor(parts: ScopedContentComponents, token: AccessToken) {
    this.#parts = parts
    this.#token = token
  }

  /** For what looks at this node only. */
  async here<T>(content: ContentParam, run: (content: ContentParam) => Promise<T>): Promise<T> {
    return await this.#ask(content, false, run)
  }

  /** For what may come from elsewhere: public bytes are everybody's, whoever fetched them first. */
  async fetching<T>(content: ContentParam, run: Ask<T>): Promise<T> {
    return await this.#ask(content, true, run)
  }

  /**
   * Whether all that is recorded of a content is the token's to know: it sees the realm, or put it and nobody else did.
   * Of what is recorded nowhere there is nothing to hide.
   */
  async isOwn(ref: ContentRef): Promise<boolean> {
    const facts = await this.#parts.facts(ref)
    if (facts === undefined || seesRealm(this.#token, facts.realm)) return true
    return facts.putBy?.every(name => name === this.#token.name) === true
  }

  /** What others called it, and when, is theirs. */
  async shown(ref: ContentRef, stat: StatResult): Promise<StatResult> {
    if (await this.isOwn(ref)) return stat
    const { name: _name, contentType: _contentType, type: _type, ...rest } = stat
    return { ...rest, createdAt: stat.lastAccess }
  }

  /**
   * What others put too stays, and is no longer the token's.
   *
   * @throws KithError CONFLICT if it is pinned and not forced
   */
  async remove(params: Parameters<ContentServices['rm']>[0]): ReturnType<ContentServices['rm']> {
    const ref = parseContent(params.content)
    const { content, disown } = this.#parts
    if (await this.isOwn(ref)) return await content.rm(params)
    if (disown === undefined) throw new KithError('CONFLICT', 'others put this content here too, so it stays. Its operator can remove it.')
    if (await disown(ref, this.#token.name, params.force ?? false)) return { removed: true }
    return (await this.isOwn(ref)) ? await content.rm(params) : { removed: false } // others removed theirs meanwhile
  }

  async list(params: Parameters<ContentServices['list']>[0]): ReturnType<ContentServices['list']> {
    const { content, cursors } = this.#parts
    // Asked by type, the store would tell by what others call the same bytes.
    const { cursor: sealed, limit = LIST_LIMIT_DEFAULT, type, ...rest } = params
    const items: StatResult[] = []
    let cursor = sealed === undefined ? undefined : cursors.open(sealed)
    for (let examined = 0; ;) {
      const asked = limit - items.length
      const page = await content.list({ ...rest, limit: asked, ...(cursor === undefined ? {} : { cursor }) })
      for (const each of page.items) {
        const item = await this.#item(each)
        if (item !== undefined && (type === undefined || item.type === type)) items.push(item)
      }
      examined += Math.max(1, page.items.length)
      cursor = page.cursor
      if (cursor === undefined) return { items }
      if (items.length >= limit || examined >= EXAMINED_MAX) return { items, cursor: cursors.seal(cursor) }
    }
  }

  async #item(stat: StatResult): Promise<StatResult | undefined> {
    const ref = parseContent(stat.cid)
    const facts = await this.#parts.facts(ref)
    return facts === undefined || sees(this.#token, facts) ? await this.shown(ref, stat) : undefined
  }

  async #ask<T>(content: ContentParam, mayFetch: boolean, run: Ask<T>): Promise<T> {
    const ref = parseContent(content)
    const facts = await this.#parts.facts(ref)
    const isOpen = facts === undefined || sees(this.#token, facts) || (mayFetch && OPEN_REALMS.includes(facts.realm))
    if (isOpen) return await run(content, text => text)
    const decoy = this.#parts.decoys.for(ref)
    try {
      return await run(decoy.content, decoy.restored)
    } catch (error) {
      throw decoy.restore(error)
    }
  }
}

async function allowedSource(
  source: PutSource,
  pathOf: (path: string) => Promise<AllowedPath>
): Promise<{ readonly source: PutSource; readonly within: readonly string[] }> {
  if ('path' in source) {
    const { path, within } = await pathOf(source.path)
    return { source: { path }, within }
  }
  if (!('entries' in source)) return { source, within: [] }
  const entries = []
  const folders = new Set<string>()
  for (const entry of source.entries) {
    const allowed = entry.file === undefined ? undefined : await pathOf(entry.file)
    for (const folder of allowed?.within ?? []) folders.add(folder)
    entries.push(allowed === undefined ? entry : { ...entry, file: allowed.path })
  }
  return { source: { entries }, within: [...folders] }
}

/** That some blocks were here already would tell a token what others have put. */
function asNew(result: PutResult, token: AccessToken): PutResult {
  const isSeen = seesRealm(token, result.privacy === 'public' ? 'public' : 'own')
  return isSeen ? result : { ...result, newBlocks: result.blocks }
}

/** The whole store, as far as the token sees it. */
async function verifyAll(view: View, verify: (content: string) => Promise<VerifyResult>): Promise<VerifyResult> {
  const total = { checkedBlocks: 0, corrupt: new Set<string>(), missing: new Set<string>(), repaired: 0 }
  let cursor: string | undefined
  do {
    const page = await view.list(cursor === undefined ? {} : { cursor })
    for (const { cid } of page.items) {
      const result = await verify(cid)
      total.checkedBlocks += result.checkedBlocks
      total.repaired += result.repaired
      for (const each of result.corrupt) total.corrupt.add(each)
      for (const each of result.missing) total.missing.add(each)
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return { ...total, corrupt: [...total.corrupt], missing: [...total.missing] }
}
