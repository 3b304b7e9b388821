/** Who speaks for this node and for its peers, and where keys of other DIDs are asked for. */
import { DidWeb } from '../adapters/did-web/did-web.ts'
import { readBindingFiles } from '../adapters/system/binding-files.ts'
import { systemClock as clock } from '../adapters/system/clock.ts'
import { Bindings } from '../peers/bindings.ts'
import { MethodResolver } from '../peers/resolver.ts'
import type { Identity } from '../ports/identity.ts'
import type { Start } from './start.ts'

export interface BindingsComponents {
  readonly identity: Identity
  /** Whether the operator named this DID: only such are asked about. */
  readonly isNamed: (did: string) => boolean
  /** Told when other DIDs speak for a peer than before. */
  readonly onChange: (peer: string) => void
}

export async function openBindings({ home, log, parts }: Start, { identity, isNamed, onChange }: BindingsComponents): Promise<Bindings> {
  const web = new DidWeb({ clock })
  parts.defer(async () => {
    await web.close()
  })
  const bindings = new Bindings({ clock, identity, resolver: new MethodResolver({ clock, isNamed, methods: { web } }), onChange })
  for (const { path, text } of await readBindingFiles(home)) {
    try {
      const { did } = await bindings.addOwn(text ?? '')
      log.info({ path, did }, 'this node shows that another DID speaks for it')
    } catch (err) {
      log.warn({ path, err }, 'a binding is not used; have its owner sign one for this node, or take the file away')
    }
  }
  return bindings
}
