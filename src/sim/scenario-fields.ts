/** Reads the single values of a scenario; each error names its place, the value and what would be right. */
import { DURATION_UNITS, parseDuration, parseSize, SIZE_UNITS } from '../config/quantities.ts'
import { KithError } from '../errors.ts'
import { didYouMean } from '../lib/nearest-word.ts'
import type { Bytes, Ms, Rate } from '../model/units.ts'

/** Names become file names and words in tables. Characters. */
const NAME_CHARACTERS_MAX = 32
const NAME = /^[a-z0-9][a-z0-9-]*$/i
const VALUE_CHARACTERS_SHOWN = 60

export function bad(place: string, why: string): KithError {
  return new KithError('CONFIG', place === '' ? why : `${place}: ${why}`, place === '' ? {} : { key: place })
}

/** A mapping. With `needs` and `may`, these keys and no others. */
export function fields(
  written: unknown,
  place: string,
  keys?: { readonly needs?: readonly string[]; readonly may?: readonly string[] }
): Readonly<Record<string, unknown>> {
  if (!isMapping(written)) throw bad(place, `${shown(written)} is not a mapping of keys to values`)
  if (keys === undefined) return written
  const { needs = [], may = [] } = keys
  const known = [...needs, ...may]
  const unknown = Object.keys(written).find(key => !known.includes(key))
  if (unknown !== undefined)
    throw bad(place, `there is no "${unknown}" here.${didYouMean(unknown, known) || ` It may have ${known.join(', ')}.`}`)
  const missing = needs.find(key => written[key] === undefined || written[key] === null)
  if (missing !== undefined) throw bad(place, `"${missing}" is missing`)
  return written
}

export function list(written: unknown, place: string, max: number): readonly unknown[] {
  if (!Array.isArray(written)) throw bad(place, `${shown(written)} is not a list`)
  if (written.length === 0) throw bad(place, 'the list is empty')
  if (written.length > max) throw bad(place, `there are ${written.length}; at most ${max} are possible`)
  return written
}

export function text(written: unknown, place: string): string {
  if (typeof written !== 'string' || written.trim() === '') throw bad(place, `${shown(written)} is not a text`)
  return written
}

export function nameOf(written: unknown, place: string): string {
  if (typeof written === 'string' && written.length <= NAME_CHARACTERS_MAX && NAME.test(written)) return written
  throw bad(place, `${shown(written)} is not a name: letters, digits and hyphens, at most ${NAME_CHARACTERS_MAX}`)
}

export function oneOf<const W extends readonly string[]>(written: unknown, place: string, words: W): W[number] {
  const found = words.find(word => word === written)
  if (found !== undefined) return found
  throw bad(place, `${shown(written)} is none of ${words.join(', ')}.${typeof written === 'string' ? didYouMean(written, words) : ''}`)
}

export function size(written: unknown, place: string): Bytes {
  const bytes = typeof written === 'string' ? parseSize(written) : written === 0 ? 0 : undefined
  if (bytes !== undefined) return bytes
  throw bad(place, `${shown(written)} is not a size. Write a number and one of ${Object.keys(SIZE_UNITS).join(' ')}, such as 5MiB`)
}

export function duration(written: unknown, place: string): Ms {
  const ms = typeof written === 'string' ? parseDuration(written) : written === 0 ? 0 : undefined
  if (ms !== undefined) return ms
  throw bad(place, `${shown(written)} is not a duration. Write a number and one of ${Object.keys(DURATION_UNITS).join(' ')}, such as 40ms`)
}

/** Bytes a second. */
export function rate(written: unknown, place: string): Rate {
  const [, amount] = (typeof written === 'string' && /^(.+)\/s$/.exec(written)) || []
  const bytes: number | undefined = amount === undefined ? undefined : parseSize(amount)
  if (bytes !== undefined && bytes > 0) return bytes
  throw bad(place, `${shown(written)} is not a rate. Write a size and /s, such as 10MiB/s`)
}

export function count(written: unknown, place: string, { min, max }: { readonly min: number; readonly max: number }): number {
  if (typeof written === 'number' && Number.isSafeInteger(written) && written >= min && written <= max) return written
  throw bad(place, `${shown(written)} is not a whole number from ${min} to ${max}`)
}

export function share(written: unknown, place: string): number {
  if (typeof written === 'number' && written >= 0 && written <= 1) return written
  throw bad(place, `${shown(written)} is not a share from 0 to 1, such as 0.02`)
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value)
  return json.length > VALUE_CHARACTERS_SHOWN ? `${json.slice(0, VALUE_CHARACTERS_SHOWN)}…` : json
}
