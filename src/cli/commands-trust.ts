/** The commands `kith trust`. */
import type { Command } from './command.ts'

export const TRUST_COMMANDS: Readonly<Record<string, Command>> = {}
