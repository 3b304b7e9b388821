/** The commands `kith invite`, `join` and `share`. */
import type { Command } from './command.ts'

export const PAIRING_COMMANDS: Readonly<Record<string, Command>> = {}
