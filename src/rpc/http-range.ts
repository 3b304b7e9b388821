/** The `Range` header, for one range of bytes. Several ranges, or a header that is not understood, mean the whole. */
import type { Bytes } from '../model/units.ts'

export interface ByteRange {
  readonly offset: Bytes
  readonly length: Bytes
}

/** @returns undefined when the whole is to be sent */
export function parseRange(header: string | undefined, size: Bytes): ByteRange | 'unsatisfiable' | undefined {
  const found = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header.trim())
  if (found === null) return undefined
  const [, first = '', last = ''] = found
  if (first === '' && last === '') return undefined
  if (first === '') return suffix(Number(last), size)
  const from = Number(first)
  const to = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < from) return undefined
  return from >= size ? 'unsatisfiable' : { offset: from, length: to - from + 1 }
}

function suffix(wanted: Bytes, size: Bytes): ByteRange | 'unsatisfiable' {
  const length = Math.min(wanted, size)
  return length === 0 ? 'unsatisfiable' : { offset: size - length, length }
}
