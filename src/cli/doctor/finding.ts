/** What a check of `kith doctor` found. Checks are functions of what they look at, and answer a list of these. */

export interface Finding {
  /** UPPER_SNAKE, fixed: programs match on it. */
  readonly code: string
  /** `error`: something does not work · `warning`: it works, and not as one might think · `info`: worth knowing · `ok`: looked at, and fine. */
  readonly severity: 'ok' | 'info' | 'warning' | 'error'
  /** What is so. */
  readonly message: string
  /** What to do. */
  readonly remedy?: string
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
