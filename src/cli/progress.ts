/**
 * The line that moves while something long goes on: on a terminal only, redrawn by the clock and not by the bytes
 * (so a stall shows), and gone when it is over.
 */
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Output } from './command.ts'
import { cut, displayWidth, formatBytes, formatMs, printable } from './text.ts'

/** Often enough to look alive, and half of what a terminal over a slow line can bear. */
const REDRAW_INTERVAL_MS: Ms = 200
/** The rate shown is that of the last seconds: what the start was like says nothing about the time left. */
const RATE_WINDOW_MS: Ms = 5_000
const BAR_CHARACTERS = 24
/** A terminal that does not say how wide it is, or says 0, as a fresh pseudo-terminal does. */
const COLUMNS_DEFAULT = 80
/** A label that would take more leaves room for the figures. Columns. */
const LABEL_COLUMNS_MAX = 32
const CLEAR_LINE = '\r\u001b[K'

export interface ProgressBar {
  /** What is done, of how much, and who serves; what is left out is not known. */
  update(bytes: number, total?: number, source?: string): void
  done(): void
}

const SILENT: ProgressBar = { update: () => {}, done: () => {} }

const terminalClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delay, run) => {
    const timer = setTimeout(run, delay).unref()
    return () => clearTimeout(timer)
  }
}

/** @param output undefined: nothing is shown */
export function progressBar(output: Output | undefined, label: string, clock: Clock = terminalClock): ProgressBar {
  return output?.isTTY === true ? new MovingLine(output, label, clock) : SILENT
}

interface Sample {
  readonly at: Ms
  readonly bytes: number
}

class MovingLine implements ProgressBar {
  readonly #output: Output
  readonly #label: string
  readonly #clock: Clock
  readonly #began: Ms
  /** Oldest first; one more than the window holds. */
  #samples: Sample[]
  #bytes = 0
  #total: number | undefined
  #source: string | undefined
  #isShown = false
  #cancel: () => void

  constructor(output: Output, label: string, clock: Clock) {
    this.#output = output
    this.#label = label
    this.#clock = clock
    this.#began = clock.monotonic()
    this.#samples = [{ at: this.#began, bytes: 0 }]
    this.#cancel = clock.after(REDRAW_INTERVAL_MS, () => this.#tick())
  }

  update(bytes: number, total?: number, source?: string): void {
    this.#bytes = bytes
    this.#total = total
    this.#source = source ?? this.#source
  }

  done(): void {
    this.#cancel()
    if (this.#isShown) this.#output.write(CLEAR_LINE)
    this.#isShown = false
  }

  #tick(): void {
    this.#cancel = this.#clock.after(REDRAW_INTERVAL_MS, () => this.#tick())
    const now = this.#clock.monotonic()
    const line = progressLine({
      label: this.#label,
      bytes: this.#bytes,
      total: this.#total,
      source: this.#source,
      elapsed: now - this.#began,
      rate: this.#rate(now),
      columns: (this.#output.columns || COLUMNS_DEFAULT) - 1
    })
    this.#output.write(`${CLEAR_LINE}${line}`)
    this.#isShown = true
  }

  /** Bytes a second over the window. */
  #rate(now: Ms): number {
    this.#samples.push({ at: now, bytes: this.#bytes })
    while ((this.#samples[1]?.at ?? now) <= now - RATE_WINDOW_MS) this.#samples.shift()
    const [oldest] = this.#samples
    if (oldest === undefined || oldest.at === now) return 0
    return (Math.max(0, this.#bytes - oldest.bytes) * 1000) / (now - oldest.at)
  }
}

interface Moment {
  readonly label: string
  readonly bytes: number
  readonly total: number | undefined
  readonly source: string | undefined
  readonly elapsed: Ms
  /** Bytes a second. */
  readonly rate: number
  /** Most columns the line may take: one that wraps cannot be taken back. */
  readonly columns: number
}

/** What fits, the figures first: then who serves, the bar, and of the label what is left. */
export function progressLine(moment: Moment): string {
  const { columns } = moment
  const label = cut(printable(moment.label), Math.min(LABEL_COLUMNS_MAX, columns))
  const bar = barOf(moment)
  const figures = figuresOf(moment)
  const from = moment.source === undefined ? [] : [`from ${printable(moment.source)}`]
  const forms = [
    [label, ...bar, ...figures, ...from],
    [label, ...figures, ...from],
    [label, ...figures]
  ]
  const lines = forms.map(parts => parts.join('  '))
  return lines.find(line => displayWidth(line) <= columns) ?? cut(figures.join('  '), columns)
}

function barOf({ bytes, total }: Moment): string[] {
  if (total === undefined || total <= 0) return []
  const full = Math.round((Math.min(bytes, total) / total) * BAR_CHARACTERS)
  return [`[${'#'.repeat(full)}${'-'.repeat(BAR_CHARACTERS - full)}]`]
}

function figuresOf({ bytes, total, elapsed, rate }: Moment): string[] {
  if (bytes === 0) return [`waiting for the first byte, ${formatMs(elapsed)}`]
  const isMeasured = total !== undefined && total > 0
  const percent = isMeasured ? [`${Math.floor((Math.min(bytes, total) / total) * 100)} %`] : []
  const left = isMeasured && rate > 0 && total > bytes ? [`${formatMs(((total - bytes) / rate) * 1000)} left`] : []
  return [...percent, formatBytes(bytes), `${formatBytes(Math.round(rate))}/s`, ...left]
}
