/**
 * Structured log: constant messages, values in fields. Nothing a peer sent above `debug`; CIDs, hashes and
 * names of non-public content only at `trace`. `error` means an operator must act.
 */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface Log {
  trace(fields: object, message: string): void
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(bindings: Record<string, unknown>): Log
}

/** The root of all logs: its level holds for every child, also when it changes. */
export interface RootLog extends Log {
  readonly level: LogLevel
  setLevel(level: LogLevel): void
}
