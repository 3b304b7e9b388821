/** The command `kith id`. */
import type { Command } from './command.ts'

export const ID_COMMANDS: Readonly<Record<string, Command>> = {
  id: {
    summary: 'who this node is and where it listens; sign that a person speaks for it',
    usage: `[bind --key FILE [--did DID] [--for NODE] [--expires 365d] [--save]]
       bind makes a binding, by which a person speaks for the node: who gives the person a level
       gives it to all nodes of the person. Run it where the person's key is; with --for no daemon
       need run there. To make a key: openssl genpkey -algorithm ed25519 -out ana.pem`,
    example: 'kith id bind --key ana.pem --for 12D3KooW… > ana.jwt',
    options: {
      key: { doc: "with bind: the person's Ed25519 key as PEM; - is standard input", value: 'FILE' },
      did: { doc: 'with bind: the person, such as did:web:ana.example (default: the did:key of that key)', value: 'DID' },
      for: { doc: 'with bind: DID or PeerId of the node (default: the one that runs here)', value: 'NODE' },
      expires: { doc: 'with bind: how long it holds, up to 366d (default: 365d)', value: 'DURATION' },
      save: { doc: 'with bind: write it to HOME/keys/bindings, where the node finds it at its next start' }
    },
    words: [0, 1],
    subcommands: ['bind'],
    load: async () => (await import('./run-node.ts')).id
  }
}
