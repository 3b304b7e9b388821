/** The command `kith trust`. */
import type { Command } from './command.ts'

export const TRUST_COMMANDS: Readonly<Record<string, Command>> = {
  trust: {
    summary: 'how far others are trusted: show it, set it, tell others, block',
    usage: `[ls | get DID | set DID LEVEL [--name NAME] | assert DID [LEVEL] [--to DID,…] | revoke DID | block DID | unblock DID]
       LEVEL is 0 to 100; DID may be a PeerId; unblock also forgives what it did wrong`,
    example: 'kith trust set did:key:z6Mk… 80 --name Ana',
    options: {
      name: { doc: 'with set: what you call it', value: 'NAME' },
      to: { doc: 'with assert and revoke: who is told, with commas (default: whom you trust; whoever was told)', value: 'LIST' },
      context: { doc: 'with assert: what it is about', value: 'TEXT' },
      expires: { doc: 'with assert: how long it holds, such as 90d (default: 365d)', value: 'DURATION' }
    },
    words: [0, 3],
    subcommands: ['ls', 'get', 'set', 'assert', 'revoke', 'block', 'unblock'],
    load: async () => (await import('./run-trust.ts')).trust
  }
}
