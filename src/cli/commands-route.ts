/** The command `kith explain`. */
import type { Command } from './command.ts'
import { SOURCE_OPTIONS } from './source-options.ts'

export const ROUTE_COMMANDS: Readonly<Record<string, Command>> = {
  explain: {
    summary: 'how a content would be got, and from whom, without getting it',
    usage: 'CONTENT',
    example: 'kith explain kith://bafy…',
    options: SOURCE_OPTIONS,
    words: [1, 1],
    load: async () => (await import('./run-explain.ts')).explain
  }
}
