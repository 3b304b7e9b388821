/** What every step of a start is given. */
import type { Config } from '../config/schema.ts'
import type { Log } from '../ports/log.ts'

export interface Start {
  readonly home: string
  readonly config: Config
  readonly log: Log
  /** Closed in reverse order of opening. */
  readonly parts: AsyncDisposableStack
}
