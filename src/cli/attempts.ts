/** Who was asked for a content, who serves it, and how that goes. */
import { isRecord } from '../rpc/error-body.ts'
import type { ProgressBar } from './progress.ts'
import { formatBytes, formatMs, table } from './text.ts'

/** Attempts come as the daemon sent them; what is missing stays empty. */
export function attemptsTable(attempts: readonly unknown[]): string {
  const rows = attempts.filter(isRecord).map(attempt => {
    const { stage, peer, url, outcome, ms, bytes, reason } = attempt
    return [`  ${word(stage)}`, word(peer ?? url), word(outcome), formatMs(Number(ms)), formatBytes(Number(bytes)), word(reason)]
  })
  return table(['  stage', 'who', 'outcome', 'time', 'bytes', 'reason'], rows)
}

/** The source of a content, in a few words. */
export function sourceName(source: unknown): string {
  if (!isRecord(source)) return 'unknown'
  const { stage, peer, url } = source
  const who = word(peer ?? url)
  return who === '' ? word(stage) : `${word(stage)} ${who}`
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Takes the progress a call reports to the bar. */
export function shownOn(bar: ProgressBar, total?: number): (progress: Record<string, unknown>) => void {
  return progress => {
    const { bytes, source } = progress
    const all = typeof progress['total'] === 'number' ? progress['total'] : total
    bar.update(Number(bytes), all, source === undefined ? undefined : sourceName(source))
  }
}
