/** The commands `kith pubsub`. */
import type { Command } from './command.ts'

export const PUBSUB_COMMANDS: Readonly<Record<string, Command>> = {}
