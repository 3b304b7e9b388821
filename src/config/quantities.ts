/** Sizes and durations as people write them. A bare number means nothing without its unit, so it is no quantity. */
import { GIB, KIB, MIB, type Bytes, type Ms } from '../model/units.ts'

export const SIZE_UNITS: Readonly<Record<string, Bytes>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: KIB,
  MiB: MIB,
  GiB: GIB,
  TiB: 1024 * GIB
}

const SECOND: Ms = 1000
export const DURATION_UNITS: Readonly<Record<string, Ms>> = {
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: 86_400 * SECOND
}

const QUANTITY = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/

/** @returns whole bytes; undefined for what is no size such as `10GiB` */
export function parseSize(text: string): Bytes | undefined {
  return parseQuantity(text, SIZE_UNITS)
}

/** @returns whole milliseconds; undefined for what is no duration such as `250ms` or `5m` */
export function parseDuration(text: string): Ms | undefined {
  return parseQuantity(text, DURATION_UNITS)
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = QUANTITY.exec(text) ?? []
  if (amount === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined
  const value = Math.round(Number(amount) * (units[unit] ?? 0))
  return Number.isSafeInteger(value) ? value : undefined
}
