/**
 * Structured log: constant messages, values in fields. Nothing a peer sent above `debug`; CIDs, hashes and
 * names of non-public content only at `trace`. `error` means an operator must act.
 */
export interface Log {
  trace(fields: object, message: string): void
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(bindings: Record<string, unknown>): Log
}
