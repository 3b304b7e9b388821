/** Nodes with real keys, and the door of one of them through which assertions come. */
import assert from 'node:assert/strict'
import { takeAssertions } from '../../../src/peers/assertion-intake.ts'
import { signJwt } from '../../../src/peers/jwt.ts'
import type { ControlHandler, ControlValue } from '../../../src/ports/control.ts'
import type { Identity } from '../../../src/ports/identity.ts'
import { identity } from '../adverts/support.ts'
import { trustFixture, type TrustFixture, YEAR_SECONDS } from './people.ts'

/** The first is the reader. */
export const [SELF, ANA, BEN, EVE] = await Promise.all([identity(1), identity(2), identity(3), identity(4)])

export interface Door extends TrustFixture {
  /** As if it came over the control channel. */
  send(from: Identity, jwt: string, kind?: string): Promise<ControlValue>
  /** A token by one of another, for this node unless said. */
  word(from: Identity, sub: string, over?: Record<string, unknown>): Promise<string>
  now(): number
}

export function door(): Door {
  const trust = trustFixture()
  const handlers = new Map<string, ControlHandler>()
  takeAssertions(
    { ...trust, book: trust.assertions, identity: SELF },
    {
      handle: (kind, handler) => {
        handlers.set(kind, handler)
      }
    }
  )
  const now = (): number => Math.floor(trust.clock.now() / 1000)
  return {
    ...trust,
    now,
    send: async (from, jwt, kind = 'assert') => {
      const handler = handlers.get(kind)
      assert.ok(handler)
      return await handler(from.peerId, { jwt })
    },
    word: async (from, sub, over = {}) =>
      await signJwt({ sub, trustLevel: 80, context: '', aud: SELF.did, iat: now(), exp: now() + YEAR_SECONDS, ...over }, from)
  }
}
