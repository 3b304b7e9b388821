/** The commands `kith invite`, `join` and `share`. */
import type { Command } from './command.ts'

const EXPIRES = { doc: 'how long the ticket is worth something, such as 24h or 7d', value: 'DURATION' }

export const PAIRING_COMMANDS: Readonly<Record<string, Command>> = {
  invite: {
    summary: 'make a ticket by which another node becomes one of yours',
    usage: '[--level N | --device | --content CONTENT] [--name NAME] [--expires 24h] [--uses 1] | --revoke TICKET',
    example: 'kith invite --name Ana',
    options: {
      level: { doc: 'what the other may do here, 1-100: from 50 on read your private content (default: 80)', value: 'N' },
      device: { doc: 'the other is a device of your own: level 100 both ways, if it says so when it joins' },
      content: { doc: 'give this content; without --level nothing else', value: 'CONTENT' },
      name: { doc: 'what to call the other here', value: 'NAME' },
      expires: { ...EXPIRES, doc: `${EXPIRES.doc} (default: 24h)` },
      uses: { doc: 'how many nodes may use it (default: 1)', value: 'N' },
      revoke: { doc: 'take a ticket back instead', value: 'TICKET' }
    },
    words: [0, 0],
    load: async () => (await import('./run-pairing.ts')).invite
  },
  join: {
    summary: 'accept a ticket: both nodes then know each other, and find each other again',
    usage: 'TICKET [--level N | --device]',
    example: 'kith join kith:ujqkcylh…',
    options: {
      level: { doc: 'what the one who made it may do here, 0-100 (default: 50)', value: 'N' },
      device: { doc: 'it was made on a device of your own: level 100 both ways' }
    },
    words: [1, 1],
    load: async () => (await import('./run-pairing.ts')).join
  },
  share: {
    summary: 'give one content to chosen people, or to the first who comes with the ticket',
    usage: 'CONTENT [DID…] [--expires 7d]',
    example: 'kith share kith://bafy… did:key:z6Mk…',
    options: { expires: { ...EXPIRES, doc: `${EXPIRES.doc} (default: 7d; those who are named keep the content)` } },
    words: [1, 101],
    load: async () => (await import('./run-pairing.ts')).share
  }
}
