/**
 * One entry of the method table: name's access, doc, parameters, result and what it runs. Parameters are checked
 * here, once, for every way a call can come in.
 */
import { z } from 'zod'
import { InvalidContentError, KithError, NotBuiltError } from '../errors.ts'
import { clipped, didYouMean, nearestWord } from '../lib/nearest-word.ts'
import { parseContent } from '../model/content-id.ts'
import type { EventType } from '../observe/events.ts'
import type { Access, Caller } from './access.ts'
import { isRecord } from './error-body.ts'
import { LIST_ITEMS_MAX } from './schemas.ts'
import type { Progress, PutResult, Services } from './services.ts'

/** What a connection offers to the methods that concern the connection itself. */
export interface CallConnection {
  /** @returns the id of a new event subscription of this connection */
  subscribe(filter: EventFilter, context: CallContext): string
  unsubscribe(subscription: string): boolean
  /** As {@link subscribe}, to something that only this connection is told of. @returns its id */
  attach(attachment: Attachment, context: CallContext): string
  /** Ends every attachment with this key. False if there is none. */
  detach(key: string): boolean
  /** Ends the running call with this id. False if there is none. */
  cancel(id: unknown): boolean
  /** Makes the connection the bearer of a token. @throws KithError UNAUTHORIZED, RATE_LIMITED */
  login(token: string): Caller
}

/** Something beside the events of the node that is told to one connection. */
export interface Attachment {
  /** What each message of it is called. */
  readonly type: EventType
  readonly key: string
  /** Begins at once. `push` gives one message of about `size` bytes; the returned function ends it. */
  open(push: (fields: Record<string, unknown>, size: number) => void): () => void
}

export interface EventFilter {
  /** Absent: all types. */
  readonly types?: readonly string[]
  /** Replay what came after this sequence number first. */
  readonly since?: number
}

export interface CallContext {
  /** Aborted when the caller cancels or goes away. */
  readonly signal: AbortSignal
  readonly connection: CallConnection
  readonly onProgress?: (progress: Progress) => void
  /**
   * To be awaited before megabytes are turned into an answer: resolves when the client has read enough of what came
   * before, for one call of the connection at a time.
   */
  room(): Promise<void>
  /** A put that happens once for each key of this caller; `params` is what else was asked for. */
  putOnce(key: string, params: object, run: (options: { readonly signal: AbortSignal }) => Promise<PutResult>): Promise<PutResult>
  /** `run` happens once the answer of this call is on its way. */
  afterAnswer(run: () => void): void
}

export interface Method<P = unknown, R = unknown> {
  readonly access: Access
  readonly doc: string
  readonly params: z.ZodObject
  readonly result: z.ZodType
  /** Parameters of the contract that answer NOT_BUILT. */
  readonly notBuilt: readonly string[]
  /** Answers may be megabytes: a connection runs only a bounded number of these at once. */
  readonly large: boolean
  /** Checks the parameters and runs. */
  invoke(services: Services, params: unknown, context: CallContext): Promise<R> | R
  /** Carries the types to the client; never set. */
  readonly types?: { readonly params: P; readonly result: R }
}

interface MethodInit<S extends z.ZodRawShape, R> {
  readonly access: Access
  readonly doc: string
  readonly params: S
  readonly result: z.ZodType
  readonly notBuilt?: readonly string[]
  readonly large?: boolean
  run(services: Services, params: z.output<z.ZodObject<S, z.core.$strict>>, context: CallContext): Promise<R> | R
}

export function method<S extends z.ZodRawShape, R>(init: MethodInit<S, R>): Method<z.input<z.ZodObject<S, z.core.$strict>>, R> {
  const notBuilt = init.notBuilt ?? []
  const check = paramsChecker(init.params, notBuilt)
  return {
    access: init.access,
    doc: init.doc,
    params: z.strictObject(init.params),
    result: init.result,
    notBuilt,
    large: init.large ?? false,
    invoke: (services, raw, context) => init.run(services, check(raw), context)
  }
}

/**
 * The door for parameters, from JSON or from a query.
 *
 * @returns a function that answers the checked parameters or throws KithError INVALID_PARAMS, INVALID_CONTENT or NOT_BUILT
 */
export function paramsChecker<S extends z.ZodRawShape>(
  shape: S,
  notBuilt: readonly string[]
): (raw: unknown) => z.output<z.ZodObject<S, z.core.$strict>> {
  const schema = z.strictObject(shape)
  const names = Object.keys(shape)
  const hasContent = names.includes('content')
  return raw => {
    const named = byName(raw, names)
    for (const name of notBuilt) if (Object.hasOwn(named, name)) throw new NotBuiltError(`The parameter "${name}"`)
    checkSize(named, [...names, ...notBuilt])
    if (hasContent && named['content'] !== undefined) checkContent(named['content'])
    const checked = schema.safeParse(named)
    if (!checked.success) throw invalidParams(named, checked.error, [...names, ...notBuilt])
    return checked.data
  }
}

/** Before each item and name is looked at: whoever looks reports on every one of them. */
function checkSize(named: Record<string, unknown>, names: readonly string[]): void {
  for (const [name, value] of Object.entries(named)) {
    if (!names.includes(name)) throw unknownParam(name, '', names)
    if (Array.isArray(value) && value.length > LIST_ITEMS_MAX)
      throw new KithError(
        'INVALID_PARAMS',
        `the parameter "${name}" is wrong: it has ${value.length} items, and no list more than ${LIST_ITEMS_MAX}`,
        {
          parameter: name,
          limit: LIST_ITEMS_MAX
        }
      )
  }
}

/** JSON-RPC also allows parameters by position: taken in the order of the table. */
function byName(raw: unknown, names: readonly string[]): Record<string, unknown> {
  if (raw === undefined) return {}
  if (isRecord(raw)) return raw
  if (!Array.isArray(raw)) throw new KithError('INVALID_PARAMS', 'the parameters must be an object')
  if (raw.length > names.length)
    throw new KithError(
      'INVALID_PARAMS',
      `${raw.length} parameters were given, at most ${names.length} are taken${names.length === 0 ? '' : `: ${names.join(', ')}`}`
    )
  return Object.fromEntries(raw.map((value: unknown, index) => [names[index] ?? '', value]))
}

/** Addresses found good lately, for an app asks for the same ones again; forgotten all at once. */
const GOOD_ADDRESSES_MAX = 1024
/** Those with long paths are not worth their memory. Characters. */
const GOOD_ADDRESS_CHARACTERS_MAX = 256

const goodAddresses = new Set<string>()

/**
 * Early and with its own code, before anything else looks at it.
 *
 * @throws InvalidContentError for anything that is no address
 */
function checkContent(content: unknown): void {
  if (typeof content === 'string') {
    if (goodAddresses.has(content)) return
    parseContent(content)
    if (goodAddresses.size >= GOOD_ADDRESSES_MAX) goodAddresses.clear()
    if (content.length <= GOOD_ADDRESS_CHARACTERS_MAX) goodAddresses.add(content)
    return
  }
  if (!isRecord(content))
    throw new InvalidContentError(
      Array.isArray(content) ? 'a list' : String(content),
      'it is neither text nor {"algorithm":"sha256","value":HEX}'
    )
  const { algorithm, value } = content
  if (typeof algorithm !== 'string' || typeof value !== 'string')
    throw new InvalidContentError(`{${Object.keys(content).slice(0, 4).join(', ')}}`, 'it is not {"algorithm":"sha256","value":HEX}')
  parseContent({ algorithm, value })
}

/** One sentence naming the first parameter that is wrong; a misspelt name comes before what it makes missing. */
function invalidParams(given: Record<string, unknown>, error: z.ZodError, names: readonly string[]): KithError {
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0]
  if (issue === undefined) return new KithError('INVALID_PARAMS', 'the parameters are invalid')
  const where = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') return unknownParam(issue.keys[0] ?? '', where, names)
  if (where === '') return new KithError('INVALID_PARAMS', issue.message)
  const isMissing = issue.path.length === 1 && given[where] === undefined
  return new KithError(
    'INVALID_PARAMS',
    isMissing ? `the parameter "${where}" is missing` : `the parameter "${where}" is wrong: ${issue.message}`,
    { parameter: where }
  )
}

function unknownParam(word: string, where: string, names: readonly string[]): KithError {
  const unknown = clipped(word)
  if (where !== '')
    return new KithError('INVALID_PARAMS', `there is no parameter "${where}.${unknown}"`, { parameter: `${where}.${unknown}` })
  const nearest = nearestWord(unknown, names)
  const known = names.length === 0 ? 'None is taken.' : `Known: ${names.join(', ')}.`
  return new KithError('INVALID_PARAMS', `there is no parameter "${unknown}".${didYouMean(unknown, names)} ${known}`, {
    parameter: unknown,
    ...(nearest === undefined ? {} : { nearest })
  })
}
