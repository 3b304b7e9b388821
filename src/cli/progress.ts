/** The line that moves while something long goes on: on a terminal only, and gone when it is over. */
import type { Output } from './command.ts'
import { formatBytes, formatMs, printable } from './text.ts'

/** Redrawn at most so often. Milliseconds. */
const REDRAW_INTERVAL_MS = 100
const BAR_CHARACTERS = 24
const CLEAR_LINE = '\r\u001b[K'

export interface ProgressBar {
  update(bytes: number, total?: number, source?: string): void
  done(): void
}

const SILENT: ProgressBar = { update: () => {}, done: () => {} }

export function progressBar(output: Output, label: string): ProgressBar {
  if (output.isTTY !== true) return SILENT
  const began = performance.now()
  let drawn = began
  return {
    update(bytes, total, source) {
      const now = performance.now()
      if (now - drawn < REDRAW_INTERVAL_MS) return
      drawn = now
      const line = progressLine({ label, bytes, total, source, elapsed: now - began })
      output.write(`${CLEAR_LINE}${line.slice(0, (output.columns ?? 80) - 1)}`)
    },
    done: () => void output.write(CLEAR_LINE)
  }
}

interface Moment {
  readonly label: string
  readonly bytes: number
  readonly total: number | undefined
  readonly source: string | undefined
  readonly elapsed: number
}

export function progressLine({ label, bytes, total, source, elapsed }: Moment): string {
  const rate = elapsed === 0 ? 0 : (bytes * 1000) / elapsed
  const from = source === undefined ? '' : `  from ${printable(source)}`
  const parts = [printable(label)]
  if (total !== undefined && total > 0) {
    const full = Math.round((Math.min(bytes, total) / total) * BAR_CHARACTERS)
    parts.push(`[${'#'.repeat(full)}${'-'.repeat(BAR_CHARACTERS - full)}]`, `${Math.floor((bytes / total) * 100)} %`)
  }
  parts.push(formatBytes(bytes), `${formatBytes(Math.round(rate))}/s`)
  if (total !== undefined && rate > 0 && total > bytes) parts.push(`${formatMs(((total - bytes) / rate) * 1000)} left`)
  return parts.join('  ') + from
}
