/** The counts of a ledger as they are stored. */

/** What is not a count is left out. */
export function readCounts(stored: unknown): Record<string, number> {
  if (typeof stored !== 'object' || stored === null) return {}
  const counts: Record<string, number> = {}
  for (const [name, value] of Object.entries(stored)) if (typeof value === 'number' && value >= 0) counts[name] = value
  return counts
}
