/** A log that says nothing. */
import type { Log } from '../../src/ports/log.ts'

const nothing = (): void => {}

export const silentLog: Log = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLog
}
