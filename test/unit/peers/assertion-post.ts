/** The outbox of one node over a network and a control channel that the test plays. */
import { AssertionOutbox, type AssertionOutboxComponents } from '../../../src/peers/assertion-outbox.ts'
import type { NetworkEvents } from '../../../src/ports/network.ts'
import { silentLog } from '../../support/silent-log.ts'
import { settle } from '../../support/virtual-clock.ts'
import { SELF } from './assertion-door.ts'
import { trustFixture, type TrustFixture } from './people.ts'

export interface Post extends TrustFixture {
  readonly outbox: AssertionOutbox
  readonly asked: { readonly peer: string; readonly kind: string; readonly jwt: string }[]
  /** What the others answer; absent: they take it. */
  answer: (() => void) | undefined
  connect(peer: string): Promise<void>
  leave(peer: string): void
}

export function post(before?: TrustFixture): Post {
  const trust = trustFixture(before === undefined ? {} : { before })
  const online = new Set<string>()
  const listeners: Partial<NetworkEvents>[] = []
  const asked: Post['asked'][number][] = []
  const network: AssertionOutboxComponents['network'] = {
    isConnected: peer => online.has(peer),
    on: events => {
      listeners.push(events)
      return () => {}
    }
  }
  const built: Post = {
    ...trust,
    asked,
    answer: undefined,
    outbox: new AssertionOutbox({
      ...trust,
      identity: SELF,
      log: silentLog,
      network,
      control: {
        ask: async (peer, kind, body) => {
          built.answer?.()
          const jwt: unknown = body instanceof Object ? Reflect.get(body, 'jwt') : undefined
          asked.push({ peer, kind, jwt: String(jwt) })
          return { taken: true }
        }
      }
    }),
    connect: async peer => {
      online.add(peer)
      for (const { connected } of listeners) connected?.(peer)
      await settle()
    },
    leave: peer => {
      online.delete(peer)
    }
  }
  return built
}
