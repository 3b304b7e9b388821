/** What a benchmark says: one line a figure, absolute and as a ratio to a reference of the same run, with its target. */

export interface Line {
  /** The case it belongs to, as `--only` names it. */
  readonly case: string
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Measured in the same run on the same machine: only the ratio compares between machines. */
  readonly reference?: { readonly name: string; readonly value: number }
  readonly ratio?: number
  readonly target?: string
  /** Absent when there is no target. */
  readonly met?: boolean
  /** Each run's figure. */
  readonly runs?: readonly number[]
}

export interface BenchSettings {
  /** Small sizes and few runs: tells whether the benchmarks work, not how fast Kith is. */
  readonly quick: boolean
  /** Says on stderr what is being measured. */
  readonly say: (text: string) => void
}

export type BenchCase = (settings: BenchSettings) => Promise<Line[]>

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2
}

/** Bytes and milliseconds as MB/s (10⁶ bytes). */
export function rateOf(bytes: number, ms: number): number {
  return bytes / 1000 / ms
}

/** A line whose target is at least, or at most, so many times the reference. */
export function ratioLine(
  line: Omit<Line, 'ratio' | 'target' | 'met'> & { readonly reference: { readonly name: string; readonly value: number } },
  target?: { readonly atLeast?: number; readonly atMost?: number }
): Line {
  const ratio = line.value / line.reference.value
  return { ...line, ratio, ...judge(ratio, ' ×', target) }
}

/** A line whose target is an absolute figure; the reference is for comparison. */
export function absoluteLine(
  line: Omit<Line, 'ratio' | 'target' | 'met'>,
  target?: { readonly atLeast?: number; readonly atMost?: number }
): Line {
  const ratio = line.reference === undefined ? {} : { ratio: line.value / line.reference.value }
  return { ...line, ...ratio, ...judge(line.value, ` ${line.unit}`, target) }
}

function judge(
  value: number,
  unit: string,
  target: { readonly atLeast?: number; readonly atMost?: number } = {}
): Pick<Line, 'target' | 'met'> {
  const { atLeast, atMost } = target
  if (atLeast === undefined && atMost === undefined) return {}
  const met = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity)
  const words = atLeast === undefined ? `≤ ${atMost ?? 0}${unit}` : `≥ ${atLeast}${unit}`
  return { target: words, met }
}

export function printLine(line: Line): string {
  const verdict = line.met === undefined ? '    ' : line.met ? 'PASS' : 'MISS'
  const reference =
    line.reference === undefined ? '' : `${figure(line.ratio ?? NaN)} × ${line.reference.name} (${figure(line.reference.value)})`
  const value = `${figure(line.value)} ${line.unit}`
  return `${verdict}  ${line.name.padEnd(46)} ${value.padStart(15)}   ${reference.padEnd(46)} ${line.target ?? ''}`.trimEnd()
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3)
}
