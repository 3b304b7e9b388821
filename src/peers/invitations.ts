/**
 * The invitations this node has made: what each grants, how often, and who came with it. Owns the table `invitations`,
 * which keeps a key made from each ticket's secret, never the secret. A use is durable before anything is granted for it.
 */
import { toString } from 'uint8arrays'
import { KithError } from '../errors.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import type { TicketKey } from './pair-proof.ts'
import { optionalField, storedFields, storedNumber, storedText, storedTexts } from './stored-fields.ts'

/** Open invitations; an app that invites in a loop ends here. */
const INVITATIONS_MAX = 1_000
/** How long it is still known why a ticket is worth nothing any more. */
const REMEMBERED: Ms = 7 * 86_400_000
/** The old ones are looked for no more often, unless there is no room. */
const SWEEP_EVERY: Ms = 3_600_000

/** What the bearer of a ticket gets, and what this node calls it. */
export interface Grant {
  /** 0–100. */
  readonly level?: number
  readonly device?: boolean
  /** Root, as CIDv1. */
  readonly content?: string
  readonly name?: string
}

export interface Invitation extends Grant {
  /** Made from the secret; hexadecimal digits. */
  readonly key: string
  /** Unix milliseconds. */
  readonly expires: Ms
  readonly uses: number
  /** DIDs that alone may use it; absent: whoever comes first. */
  readonly only?: readonly string[]
  /** Taken back, or its content was removed. */
  readonly isEnded?: boolean
  /** DID → whether what was promised has been given. */
  readonly redeemed: Readonly<Record<string, 'counted' | 'granted'>>
}

/** Why a right proof gets nothing. */
export type Refusal = 'used' | 'expired' | 'revoked' | 'not-yours'

export class Invitations {
  readonly #clock: Clock
  readonly #table: StateTable<Invitation>
  #sweptAt: Ms = Number.NEGATIVE_INFINITY

  constructor({ clock, state }: { readonly clock: Clock; readonly state: StateStore }) {
    this.#clock = clock
    this.#table = state.table('invitations', readInvitation)
  }

  /** Durable when it resolves. @throws KithError QUOTA_EXCEEDED */
  async add({ id, key }: TicketKey, init: Omit<Invitation, 'key' | 'redeemed' | 'isEnded'>): Promise<void> {
    await this.#forgetOld()
    if (this.#table.size >= INVITATIONS_MAX)
      throw new KithError(
        'QUOTA_EXCEEDED',
        `${INVITATIONS_MAX} invitations are open or have ended lately. Wait until some are forgotten, or invite for a shorter time`
      )
    await this.#table.put(nameOf(id), { ...init, key: toString(key, 'base16'), redeemed: {} })
  }

  find(id: Uint8Array): Invitation | undefined {
    return this.#table.get(nameOf(id))
  }

  /**
   * Counts a use, durably; the same DID is counted once. Nothing is waited for between the look and the count, so that two
   * who come at once are not both let in.
   */
  async count(id: Uint8Array, did: string): Promise<{ readonly refused: Refusal } | { readonly invitation: Invitation }> {
    const invitation = this.find(id)
    const refused = invitation === undefined ? 'revoked' : this.#refusal(invitation, did)
    if (invitation === undefined || refused !== undefined) return { refused: refused ?? 'revoked' }
    if (!Object.hasOwn(invitation.redeemed, did)) await this.#mark(id, invitation, did, 'counted')
    return { invitation }
  }

  /** What was promised to the DID has been given: coming again gives nothing new. */
  async granted(id: Uint8Array, did: string): Promise<void> {
    const invitation = this.find(id)
    if (invitation !== undefined) await this.#mark(id, invitation, did, 'granted')
  }

  /** Takes one back. False if it is not known. */
  async end(id: Uint8Array): Promise<boolean> {
    const invitation = this.find(id)
    if (invitation === undefined) return false
    await this.#table.put(nameOf(id), { ...invitation, isEnded: true })
    return true
  }

  /** Those that hold a root and nothing else end; the others go on without it. */
  async endContent(root: string): Promise<void> {
    for (const [name, invitation] of this.#table.entries()) {
      if (invitation.content !== root) continue
      const { content: _content, ...rest } = invitation
      await this.#table.put(name, rest.level === undefined ? { ...invitation, isEnded: true } : rest)
    }
  }

  #refusal({ isEnded, expires, only, redeemed, uses }: Invitation, did: string): Refusal | undefined {
    if (isEnded === true) return 'revoked'
    if (this.#clock.now() >= expires) return 'expired'
    if (only !== undefined && !only.includes(did)) return 'not-yours'
    if (Object.hasOwn(redeemed, did)) return undefined
    return Object.keys(redeemed).length >= uses ? 'used' : undefined
  }

  async #mark(id: Uint8Array, invitation: Invitation, did: string, state: 'counted' | 'granted'): Promise<void> {
    await this.#table.put(nameOf(id), { ...invitation, redeemed: { ...invitation.redeemed, [did]: state } })
  }

  async #forgetOld(): Promise<void> {
    const now = this.#clock.monotonic()
    if (now - this.#sweptAt < SWEEP_EVERY && this.#table.size < INVITATIONS_MAX) return
    this.#sweptAt = now
    const before = this.#clock.now() - REMEMBERED
    for (const [name, { expires }] of this.#table.entries()) if (expires < before) await this.#table.remove(name)
  }
}

function nameOf(id: Uint8Array): string {
  return toString(id, 'base16')
}

function readInvitation(stored: unknown): Invitation {
  const fields = storedFields(stored, 'an invitation')
  return {
    key: storedText(fields['key'], 'key'),
    expires: storedNumber(fields['expires'], 'expires'),
    uses: storedNumber(fields['uses'], 'uses'),
    ...optionalField(fields, 'level', storedNumber),
    ...optionalField(fields, 'content', storedText),
    ...optionalField(fields, 'name', storedText),
    ...optionalField(fields, 'only', storedTexts),
    ...(fields['device'] === true ? { device: true } : {}),
    ...(fields['isEnded'] === true ? { isEnded: true } : {}),
    redeemed: readRedeemed(fields['redeemed'])
  }
}

function readRedeemed(stored: unknown): Invitation['redeemed'] {
  return Object.fromEntries(
    Object.entries(storedFields(stored, 'redeemed')).map(([did, state]) => {
      if (state !== 'counted' && state !== 'granted') throw new Error('a use is neither counted nor granted')
      return [did, state]
    })
  )
}
