/** The commands `kith explain`. */
import type { Command } from './command.ts'

export const ROUTE_COMMANDS: Readonly<Record<string, Command>> = {}
