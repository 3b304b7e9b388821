/** The options of all commands that look for content. Nothing but data: the table of commands loads it. */
import type { OptionSpec } from './command.ts'

export const SOURCE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  sources: { doc: 'only these, in this order: peer,ipfs,gateway', value: 'LIST' },
  privacy: { doc: 'ask as public or private', value: 'CLASS' }
}
