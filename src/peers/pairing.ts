/**
 * Pairing: tickets out and in, and the question `pair` by which the bearer of one and its maker prove to each other that
 * they know its secret. Each side sets only its own access for the other. What is granted is durable before it is said.
 */
import { CID } from 'multiformats/cid'
import { fromString } from 'uint8arrays'
import { KithError } from '../errors.ts'
import { KeyedBuckets } from '../lib/keyed-buckets.ts'
import { withRetries } from '../lib/retry.ts'
import type { Ms } from '../model/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Control, ControlValue } from '../ports/control.ts'
import type { Identity } from '../ports/identity.ts'
import type { Log } from '../ports/log.ts'
import type { Network } from '../ports/network.ts'
import type { AbortOptions } from '../ports/options.ts'
import type { Random } from '../ports/random.ts'
import type { Standing } from '../ports/standing.ts'
import type { StateStore, StateTable } from '../ports/state-table.ts'
import type { AddressBook } from './address-book.ts'
import { isFields } from './control-codec.ts'
import { addressesToTell } from './dial-addresses.ts'
import { didFromPeerId, peerIdFromDid } from './did-key.ts'
import type { Grant, Invitation, Invitations } from './invitations.ts'
import { INVITATION_ID_BYTES, isProof, PROOF_BYTES, prove, ticketKey, type PairOf } from './pair-proof.ts'
import { readAddresses, type OwnPeople } from './own-people.ts'
import type { Shares } from './shares.ts'
import { storedNumber } from './stored-fields.ts'
import { LEVEL_MAX } from './trust-book.ts'
import { decodeTicket, encodeTicket, SECRET_BYTES, type Ticket } from './ticket.ts'
import { refusedTicket, ticketError } from './ticket-errors.ts'

const PAIR_KIND = 'pair'
/** What the same person's devices are to each other. */
const DEVICE_LEVEL = 100
/** What the maker of a ticket becomes for who joins, unless that one says otherwise. */
const JOIN_LEVEL_DEFAULT = 50
/** Tickets that are not ours, shown by one peer: guessing 128 bits is hopeless, and costs us a look-up each. */
const WRONG_TICKETS = { capacity: 10, perSecond: 1 / 60, keysMax: 1024 }
/** The clocks of two machines may differ by so much before the joiner believes its own: the maker has the last word. */
const CLOCK_SLACK: Ms = 300_000
/** Others may use up for a while what the maker answers strangers: a person who pastes a ticket waits half a minute. */
const BUSY_RETRIES = { attempts: 24, base: 500, max: 1_500 }
/** Compared with when a ticket is unknown, so that it takes the same path as a wrong secret. */
const NO_KEY = '00'.repeat(32)

/** Levels as the operator set them; the trust book is one. */
export interface Levels {
  get(did: string): { readonly level?: number; readonly isBlocked?: boolean } | undefined
  setLevel(did: string, level: number, name?: string): Promise<void>
}

export interface PairingComponents {
  readonly control: Control
  readonly identity: Identity
  readonly network: Pick<Network, 'addresses' | 'peers'>
  readonly standing: Pick<Standing, 'accessOf' | 'isShunned' | 'whyShunned'>
  readonly levels: Levels
  readonly invitations: Invitations
  readonly shares: Shares
  readonly book: AddressBook
  readonly people: Pick<OwnPeople, 'reachAt'>
  readonly state: StateStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface InviteInit extends Grant {
  /** From now on. */
  readonly lasts: Ms
  readonly uses: number
  readonly only?: readonly string[]
}

export interface MadeTicket {
  readonly ticket: string
  /** Unix milliseconds. */
  readonly expires: Ms
}

export interface Joined {
  readonly did: string
  readonly peerId: string
  readonly via: 'direct' | 'relayed'
  /** What the maker of the ticket may now do here, 0–10. */
  readonly access: number
  /** Level of the ticket that holds there, 0–100; absent: it gives none, or its maker does not say. */
  readonly granted?: number
  readonly content?: CID
  /** The ticket is for an own device: whether both sides said so. Absent: it is not. */
  readonly device?: 'agreed' | 'offered'
}

export interface JoinInit {
  /** What the maker of the ticket gets here; never less than it has. */
  readonly level?: number
  /** Whether the maker is the same person's. Absent: as the ticket says, unless another level is named. */
  readonly device?: boolean
}

export class Pairing {
  readonly #parts: PairingComponents
  readonly #wrong: KeyedBuckets
  /** DIDs of the same person's devices, and since when. */
  readonly #devices: StateTable<Ms>

  constructor(components: PairingComponents) {
    const { clock, control, state } = components
    this.#parts = components
    this.#wrong = new KeyedBuckets({ clock }, WRONG_TICKETS)
    this.#devices = state.table('devices', stored => storedNumber(stored, 'since when a device is one'))
    control.handle(PAIR_KIND, async (peer, body) => await this.#answer(peer, body))
  }

  /** Whether a DID is the same person's, as a ticket between the two said. */
  isDevice(did: string): boolean {
    return this.#devices.get(did) !== undefined
  }

  /** A ticket; it is worth what it says as soon as it is returned. */
  async invite({ lasts, uses, only, ...grant }: InviteInit): Promise<MadeTicket> {
    const { invitations, identity, network, clock, random } = this.#parts
    const secret = random.bytes(SECRET_BYTES)
    const expires = Math.ceil((clock.now() + lasts) / 1000)
    await invitations.add(await ticketKey(secret), { ...grant, uses, expires: expires * 1000, ...(only === undefined ? {} : { only }) })
    const { level, device, content } = grant
    const ticket = encodeTicket({
      did: identity.did,
      addresses: addressesToTell(network.addresses(), identity.peerId),
      secret,
      expires,
      ...(level === undefined ? {} : { level }),
      ...(device === true ? { device } : {}),
      ...(content === undefined ? {} : { content: CID.parse(content) })
    })
    return { ticket, expires: expires * 1000 }
  }

  /** Takes back a ticket that was made here. False if it was not, or long ago. @throws KithError INVALID_PARAMS */
  async uninvite(text: string): Promise<boolean> {
    const { id } = await ticketKey(decodeTicket(text).secret)
    return await this.#parts.invitations.end(id)
  }

  /** The content is removed here: nobody was given it any more, and tickets for it alone are worth nothing. */
  async endContent(root: CID): Promise<void> {
    await this.#parts.invitations.endContent(root.toV1().toString())
    await this.#parts.shares.endContent(root)
  }

  /**
   * Redeems a ticket that another node made.
   *
   * @throws KithError INVALID_PARAMS for what is no ticket · UNAUTHORIZED whose `data.reason` is `expired`, `used`,
   * `revoked`, `not-yours`, `unknown`, `unproven` or `blocked` · UNAVAILABLE when its maker cannot be reached
   */
  async join(text: string, asked: JoinInit, options: AbortOptions): Promise<Joined> {
    const ticket = decodeTicket(text)
    if (asked.device === true && ticket.device !== true)
      throw new KithError('INVALID_PARAMS', 'this ticket is not for a device of your own: leave out "device", or have one made with it')
    const init = { ...asked, device: ticket.device === true && (asked.device ?? asked.level === undefined) }
    const peer = peerIdFromDid(ticket.did)
    this.#assertUsable(ticket, peer)
    await this.#reach(peer, ticket, options)
    const granted = await this.#proveEachOther(peer, ticket, init, options)
    await this.#accept(peer, ticket, init)
    return {
      did: ticket.did,
      peerId: peer,
      via: this.#parts.network.peers().find(connected => connected.peer === peer)?.relayed === true ? 'relayed' : 'direct',
      access: this.#parts.standing.accessOf(peer),
      ...(granted === undefined ? {} : { granted }),
      ...(ticket.device === true ? { device: init.device ? ('agreed' as const) : ('offered' as const) } : {}),
      ...(ticket.content === undefined ? {} : { content: ticket.content })
    }
  }

  #assertUsable({ expires, swarm }: Ticket, peer: string): void {
    const { identity, standing, clock } = this.#parts
    if (peer === identity.peerId)
      throw new KithError('INVALID_PARAMS', 'this ticket was made by this very node; give it to the other one', { reason: 'own' })
    if (clock.now() > expires * 1000 + CLOCK_SLACK) throw ticketError('expired')
    if (swarm !== undefined) throw new KithError('NOT_BUILT', 'Joining a swarm by a ticket is not built yet in this version of Kith.')
    if (standing.isShunned(peer)) throw ticketError('blocked', standing.whyShunned(peer))
  }

  async #reach(peer: string, { did, addresses }: Ticket, options: AbortOptions): Promise<void> {
    const { book, people } = this.#parts
    const known = [...addresses.map(address => `${address}/p2p/${peer}`), ...book.of(peer)]
    if (known.length === 0 && !this.#isConnected(peer))
      throw new KithError('UNAVAILABLE', `this ticket names no address of ${did}. Connect first: kith peers connect ADDRESS`, { peer })
    await people.reachAt(peer, [...new Set(known)], options)
  }

  #isConnected(peer: string): boolean {
    return this.#parts.network.peers().some(connected => connected.peer === peer)
  }

  /** @returns the level that the maker says it gives, if it says so */
  async #proveEachOther(peer: string, { secret }: Ticket, { device }: JoinInit, options: AbortOptions): Promise<number | undefined> {
    const { control, identity, network } = this.#parts
    const { id, key } = await ticketKey(secret)
    const pair: PairOf = { joiner: identity.peerId, inviter: peer }
    const addresses = addressesToTell(network.addresses(), identity.peerId)
    const question = { id, proof: await prove(key, 'join', pair), addresses, ...(device === true ? { device } : {}) }
    const answer = await withRetries(
      this.#parts,
      BUSY_RETRIES,
      { attempt: async () => await control.ask(peer, PAIR_KIND, question, options), mayPass: isBusy },
      options
    )
    const { refused, proof, level } = isFields(answer) ? answer : { refused: undefined, proof: undefined, level: undefined }
    if (refused !== undefined) throw refusedTicket(refused)
    if (!(proof instanceof Uint8Array) || !(await isProof(key, 'invite', pair, proof))) throw ticketError('unproven')
    return typeof level === 'number' && Number.isInteger(level) && level >= 0 && level <= LEVEL_MAX ? level : undefined
  }

  /** What this side gives to the maker of the ticket. */
  async #accept(peer: string, { did, addresses, content }: Ticket, { level, device }: JoinInit): Promise<void> {
    await this.#raise(did, level ?? (device === true ? DEVICE_LEVEL : JOIN_LEVEL_DEFAULT))
    if (device === true) await this.#noteDevice(did)
    if (content !== undefined) await this.#parts.shares.received(content, peer)
    await this.#parts.book.told(peer, addresses)
  }

  async #answer(peer: string, body: ControlValue): Promise<ControlValue> {
    const { invitations, identity, log } = this.#parts
    if (!this.#wrong.has(peer)) throw new KithError('RATE_LIMITED', 'too many tickets that are none; try again in some minutes')
    const { id, proof, addresses, isDevice } = readQuestion(body)
    const key = fromString(invitations.find(id)?.key ?? NO_KEY, 'base16')
    const pair: PairOf = { joiner: peer, inviter: identity.peerId }
    if (!(await isProof(key, 'join', pair, proof)) || invitations.find(id) === undefined) {
      this.#wrong.take(peer)
      return { refused: 'unknown' }
    }
    const did = didFromPeerId(peer)
    const counted = await invitations.count(id, did)
    if ('refused' in counted) return { refused: counted.refused }
    const { invitation } = counted
    if (invitation.redeemed[did] !== 'granted') {
      await this.#grant(did, peer, invitation, addresses)
      await invitations.granted(id, did)
      log.info({ did }, 'an invitation was accepted')
    }
    // Also when it comes again to say so; not if its level was taken back meanwhile.
    if (isDevice && invitation.device === true && this.#parts.levels.get(did)?.level === DEVICE_LEVEL) await this.#noteDevice(did)
    return { proof: await prove(key, 'invite', pair), ...this.#holding(did, invitation) }
  }

  /** Of the level a ticket gives what holds now: who comes again is not to believe in what was taken back meanwhile. */
  #holding(did: string, { level }: Invitation): { readonly level?: number } {
    if (level === undefined) return {}
    const { level: given = 0, isBlocked } = this.#parts.levels.get(did) ?? {}
    return { level: isBlocked === true ? 0 : Math.min(level, given) }
  }

  /** What this side gives to the bearer. */
  async #grant(did: string, peer: string, { level, content, name, expires }: Invitation, addresses: readonly string[]): Promise<void> {
    if (content !== undefined) await this.#parts.shares.grant(CID.parse(content), did, expires)
    if (level === undefined) return
    await this.#raise(did, level, name)
    await this.#parts.book.told(peer, addresses)
  }

  /** A ticket never takes away what the operator gave; 0 leaves things as they are. */
  async #raise(did: string, level: number, name?: string): Promise<void> {
    const known = this.#parts.levels.get(did)?.level ?? 0
    if (level > known || (level > 0 && name !== undefined)) await this.#parts.levels.setLevel(did, Math.max(level, known), name)
  }

  async #noteDevice(did: string): Promise<void> {
    await this.#devices.put(did, this.#parts.clock.now())
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof KithError && error.code === 'RATE_LIMITED'
}

/** @throws KithError INVALID_PARAMS */
function readQuestion(body: ControlValue): {
  readonly id: Uint8Array
  readonly proof: Uint8Array
  readonly addresses: readonly string[]
  readonly isDevice: boolean
} {
  const { id, proof, device } = isFields(body) ? body : { id: undefined, proof: undefined, device: undefined }
  if (
    !(id instanceof Uint8Array) ||
    id.byteLength !== INVITATION_ID_BYTES ||
    !(proof instanceof Uint8Array) ||
    proof.byteLength !== PROOF_BYTES
  )
    throw new KithError('INVALID_PARAMS', 'a ticket is shown by its id and a proof')
  return { id, proof, addresses: readAddresses(body), isDevice: device === true }
}
