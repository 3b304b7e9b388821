/** The commands `kith pubsub`. */
import type { Command } from './command.ts'

export const PUBSUB_COMMANDS: Readonly<Record<string, Command>> = {
  pubsub: {
    summary: 'send a message to a topic, or read what comes as it comes',
    usage: 'publish TOPIC [DATA|-] | subscribe TOPIC',
    example: 'kith pubsub publish lobby "anybody here?"',
    words: [2, 3],
    subcommands: ['publish', 'subscribe'],
    load: async () => (await import('./run-pubsub.ts')).pubsub
  }
}
