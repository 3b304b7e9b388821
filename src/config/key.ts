/**
 * One configuration key: what it means, its default as a person would write it, and how it is read, in one place.
 * Types, docs, environment names and the checks all derive from these.
 */
import type { Bytes, Ms, Rate } from '../model/units.ts'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import { DURATION_UNITS, parseDuration, parseSize, SIZE_UNITS } from './quantities.ts'

/** A value that is not allowed. `why` completes the sentence "network.mdns: "maybe" …". */
export class BadValueError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'BadValueError'
  }
}

export interface Key<T> {
  readonly doc: string
  /** What may be written: `size`, `duration`, `a | b` …; for docs. */
  readonly type: string
  /** As written in a file. */
  readonly default: unknown
  /** What of a written value may be shown; secrets are masked. */
  readonly show: (written: unknown) => unknown
  /** In the environment and in `--set` the text is the value, even if YAML would read a number: leading zeros count. */
  readonly literal: boolean
  /** @throws BadValueError · KithError NOT_BUILT for values of a later version */
  readonly parse: (written: unknown) => T
}

interface Facts {
  readonly doc: string
  readonly default: unknown
}

/** What secrets look like when shown. */
const MASK = '***'
const PERCENT_MAX = 100

interface Bounds {
  readonly min?: number
  readonly max?: number
}

function key<T>(facts: Facts & { readonly type: string } & Partial<Key<T>>, parse: (written: unknown) => T): Key<T> {
  return { show: written => written, literal: false, ...facts, parse }
}

export function flag(facts: Facts): Key<boolean> {
  return key({ ...facts, type: 'true | false' }, written => {
    if (typeof written !== 'boolean') throw new BadValueError('is neither true nor false')
    return written
  })
}

/** A whole number of things. */
export function count(facts: Facts & Bounds): Key<number> {
  return key({ ...facts, type: `whole number${rangeOf(facts)}` }, written => {
    if (typeof written !== 'number' || !Number.isSafeInteger(written)) throw new BadValueError('is not a whole number')
    return bounded(written, facts)
  })
}

export function decimal(facts: Facts & Bounds): Key<number> {
  return key({ ...facts, type: `number${rangeOf(facts)}` }, written => {
    if (typeof written !== 'number' || !Number.isFinite(written)) throw new BadValueError('is not a number')
    return bounded(written, facts)
  })
}

/** Bytes. A written 0 means unlimited and is read as `max`, or Infinity without one, so that comparing just works. */
export function size(facts: Facts & { readonly min?: Bytes; readonly max?: Bytes }): Key<Bytes> {
  return key({ ...facts, type: `size${rangeOf(facts, ' B')}` }, written => {
    const most = facts.max ?? Number.POSITIVE_INFINITY
    if (written === 0) return most
    const bytes = typeof written === 'string' ? parseSize(written) : undefined
    if (bytes === undefined)
      throw new BadValueError(
        `is not a size. Write a number and one of ${Object.keys(SIZE_UNITS).join(' ')}, such as 10GiB; 0 means unlimited`
      )
    if (bytes === 0) return most
    if (facts.min !== undefined && bytes < facts.min) throw new BadValueError(`is less than the ${facts.min} bytes that are of use`)
    if (bytes > most) throw new BadValueError(`is more than the ${most} bytes that are possible`)
    return bytes
  })
}

/** Bytes a second. A written 0 means unlimited and is read as Infinity. */
export function rate(facts: Facts): Key<Rate> {
  return key({ ...facts, type: 'rate' }, written => {
    if (written === 0) return Number.POSITIVE_INFINITY
    const [, amount] = (typeof written === 'string' && /^(.*)\/s$/.exec(written)) || []
    const bytes = amount === undefined ? undefined : parseSize(amount.trim())
    if (bytes === undefined || bytes === 0) throw new BadValueError('is not a rate. Write a size and /s, such as 10MB/s; 0 means unlimited')
    return bytes
  })
}

/** A part of a whole, written in percent (`5 %`), read as a number from 0 to 1. */
export function share(facts: Facts): Key<number> {
  return key({ ...facts, type: 'percentage' }, written => {
    if (written === 0) return 0
    const [, amount] = (typeof written === 'string' && /^(\d+(?:\.\d+)?) ?%$/.exec(written)) || []
    if (amount === undefined || Number(amount) > PERCENT_MAX) throw new BadValueError('is not a percentage. Write it as 5 %')
    return Number(amount) / PERCENT_MAX
  })
}

/** A name or a secret: whatever text, null when unset. */
export function text(facts: { readonly doc: string; readonly secret?: true }): Key<string | null> {
  const show = facts.secret === true ? (written: unknown) => (written === null ? null : MASK) : (written: unknown) => written
  return key({ doc: facts.doc, default: null, type: 'text', literal: true, show }, written => {
    if (written === null) return null
    if (typeof written !== 'string') throw new BadValueError('is not text. Put it in quotes')
    if (written === '' || /\p{Cc}/u.test(written)) throw new BadValueError('is empty or holds control characters')
    return written
  })
}

/** Milliseconds. A written 0 means off; what that is for a key, its doc says. */
export function duration(facts: Facts): Key<Ms> {
  return key({ ...facts, type: 'duration' }, parseWrittenDuration)
}

export function parseWrittenDuration(written: unknown): Ms {
  if (written === 0) return 0
  const ms = typeof written === 'string' ? parseDuration(written) : undefined
  if (ms === undefined)
    throw new BadValueError(
      `is not a duration. Write a number and one of ${Object.keys(DURATION_UNITS).join(' ')}, such as 250ms; 0 means off`
    )
  return ms
}

/** One of a few words (or true and false). The first is the default. */
export function oneOf<const C extends readonly (string | boolean)[]>(choices: C, facts: { readonly doc: string }): Key<C[number]> {
  return key({ ...facts, default: choices[0], type: choices.join(' | ') }, written => {
    const found = choices.find(choice => choice === written)
    if (found !== undefined) return found
    throw new BadValueError(`is none of ${choices.join(', ')}.${didYouMean(String(written), choices.map(String))}`)
  })
}

/** A key that must not be ignored and is not served by this version: setting it is refused. `why` says what to do, too. */
export function notYet<T>(inner: Key<T>, why: string): Key<T> {
  return {
    ...inner,
    parse: written => {
      if (typeof written === 'string') throw new KithError('NOT_BUILT', why)
      return inner.parse(written)
    }
  }
}

/** A value with a form of its own. */
export function formOf<T>(type: string, facts: Facts, parse: (written: unknown) => T): Key<T> {
  return key({ ...facts, type }, parse)
}

/** One value that may be missing: null then. */
export function optional<T>(type: string, facts: { readonly doc: string }, parseGiven: (written: unknown) => T): Key<T | null> {
  return key({ ...facts, default: null, type }, written => (written === null ? null : parseGiven(written)))
}

export function path(facts: { readonly doc: string }): Key<string | null> {
  return optional('path', facts, written => {
    if (typeof written !== 'string' || written === '' || written.includes('\0')) throw new BadValueError('is not a path')
    return written
  })
}

/** Several values, or one alone. */
export function listOf<T>(type: string, facts: Facts, parseItem: (written: unknown) => T): Key<readonly T[]> {
  return key({ ...facts, type: `list of ${type}` }, written => (Array.isArray(written) ? written : [written]).map(item => parseItem(item)))
}

/** Some of a few words, each once, the order being the reader's. */
export function wordsOf<const C extends readonly string[]>(choices: C, facts: Facts): Key<readonly C[number][]> {
  const word = oneOf(choices, facts)
  const list = listOf('word', facts, written => word.parse(written))
  return {
    ...list,
    type: `list of ${word.type}`,
    parse: written => {
      const words = list.parse(written)
      if (new Set(words).size < words.length) throw new BadValueError('names a word twice')
      return words
    }
  }
}

/**
 * The fields of a written object.
 *
 * @throws BadValueError if it is none, or has a field that is not in `known`
 */
export function fieldsOf(written: unknown, known: readonly string[], what: string): Readonly<Record<string, unknown>> {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) throw new BadValueError(`is not ${what}`)
  const unknown = Object.keys(written).find(name => !known.includes(name))
  if (unknown !== undefined)
    throw new BadValueError(`has the unknown key "${unknown}"; there are ${known.join(', ')}.${didYouMean(unknown, known)}`)
  return Object.fromEntries(Object.entries(written))
}

/** A list that may also be one fixed word. */
export function wordOr<T, const W extends string>(word: W, inner: Key<T>): Key<T | W> {
  return { ...inner, type: `${word} | ${inner.type}`, parse: written => (written === word ? word : inner.parse(written)) }
}

/** For docs. */
function rangeOf({ min, max }: Bounds, unit = ''): string {
  if (min === undefined) return max === undefined ? '' : ` up to ${max}${unit}`
  return max === undefined ? ` from ${min}${unit}` : ` ${min}–${max}${unit}`
}

function bounded(value: number, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: Bounds): number {
  if (value >= min && value <= max) return value
  if (max === Number.POSITIVE_INFINITY) throw new BadValueError(`is less than ${min}`)
  throw new BadValueError(`is not between ${min} and ${max}`)
}
