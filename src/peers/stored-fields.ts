/** Reads facts that were stored as JSON, field by field; what was not written by this program is an error, never a guess. Pure. */

export type StoredFields = Readonly<Record<string, unknown>>

/** @throws Error if it is no object */
export function storedFields(stored: unknown, what: string): StoredFields {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) throw new Error(`${what} is no object`)
  return { ...stored }
}

/** @throws Error */
export function storedText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is no text`)
  return value
}

/** @throws Error */
export function storedNumber(value: unknown, what: string): number {
  if (typeof value !== 'number') throw new Error(`${what} is no number`)
  return value
}

/** @throws Error */
export function storedTexts(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw new Error(`${what} is no list`)
  return value.map(item => storedText(item, what))
}

/** The field as an object to spread: nothing if it is not there. */
export function optionalField<K extends string, T>(fields: StoredFields, key: K, read: (value: unknown, what: K) => T): { [key in K]?: T } {
  const value = fields[key]
  const found: { [key in K]?: T } = {}
  if (value !== undefined) found[key] = read(value, key)
  return found
}
