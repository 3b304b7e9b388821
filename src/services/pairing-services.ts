/** `peers.invite`, `peers.join` and `content.share`: what callers may ask for, brought to what the domain grants. */
import type { CID } from 'multiformats/cid'
import { parseDuration } from '../config/quantities.ts'
import type { Library } from '../content/library.ts'
import { KithError, NotBuiltError } from '../errors.ts'
import { contentUri, parseContent } from '../model/content-id.ts'
import type { Ms } from '../model/units.ts'
import { didFromPeerId, publicKeyFromDid } from '../peers/did-key.ts'
import type { MadeTicket, Pairing } from '../peers/pairing.ts'
import type { Shares } from '../peers/shares.ts'
import type { Clock } from '../ports/clock.ts'
import type { ContentParam, Services } from '../rpc/services.ts'

type PairingServices = Services['pairing']

const DAY: Ms = 86_400_000
/** What an invitation gives unless it says otherwise: highly trusted. */
const INVITE_LEVEL_DEFAULT = 80
const DEVICE_LEVEL = 100
const INVITE_LASTS_DEFAULT: Ms = DAY
/** A share has to reach a person, who reads mail in the evening. */
const SHARE_LASTS_DEFAULT: Ms = 7 * DAY
/** Whoever wants longer gives people a level. */
const LASTS_MAX: Ms = 366 * DAY

export interface PairingServicesComponents {
  readonly pairing: Pairing
  readonly shares: Shares
  readonly library: Library
  readonly clock: Clock
  /** A text as a QR code for a terminal. */
  readonly qr: (text: string) => string
}

export function pairingServices(parts: PairingServicesComponents): PairingServices {
  const { pairing } = parts
  const shown = ({ ticket, expires }: MadeTicket): Awaited<ReturnType<PairingServices['invite']>> => ({
    ticket,
    qr: parts.qr(ticket.toUpperCase()),
    expires: new Date(expires).toISOString()
  })
  return {
    invite: async ({ level, expires, uses = 1, device, swarm, content, name }) => {
      if (swarm !== undefined) throw new NotBuiltError('Inviting into a swarm')
      if (device === true && level !== undefined && level !== DEVICE_LEVEL)
        throw new KithError('INVALID_PARAMS', `an own device always gets level ${DEVICE_LEVEL}; leave out "level" or "device"`)
      const root = content === undefined ? undefined : rootOf(parts.library, content)
      const granted = device === true ? DEVICE_LEVEL : (level ?? (root === undefined ? INVITE_LEVEL_DEFAULT : undefined))
      const made = await pairing.invite({
        lasts: lasts(expires, INVITE_LASTS_DEFAULT),
        uses,
        ...(granted === undefined ? {} : { level: granted }),
        ...(device === true ? { device } : {}),
        ...(root === undefined ? {} : { content: root.toString() }),
        ...(name === undefined ? {} : { name })
      })
      return shown(made)
    },
    uninvite: async ticket => ({ revoked: await pairing.uninvite(ticket) }),
    join: async ({ ticket, level, device }, options) => {
      if (device === true && level !== undefined && level !== DEVICE_LEVEL)
        throw new KithError('INVALID_PARAMS', `an own device always gets level ${DEVICE_LEVEL}; leave out "level" or "device"`)
      const init = { ...(level === undefined ? {} : { level }), ...(device === undefined ? {} : { device }) }
      const { content, ...joined } = await pairing.join(ticket, init, options)
      return content === undefined ? joined : { ...joined, content: contentUri(content, false) }
    },
    share: async params => shown(await share(parts, params))
  }
}

/** Those who are named may have it at once; whoever else comes first with the ticket, if nobody is named. */
async function share(
  { pairing, shares, library, clock }: PairingServicesComponents,
  { content, to, expires }: Parameters<PairingServices['share']>[0]
): Promise<MadeTicket> {
  const root = rootOf(library, content)
  const period = lasts(expires, SHARE_LASTS_DEFAULT)
  const only = to === undefined ? undefined : [...new Set(to.map(nodeDid))]
  if (only?.length === 0)
    throw new KithError('INVALID_PARAMS', '"to" names nobody; leave it out to share with whoever comes first with the ticket')
  for (const did of only ?? []) await shares.grant(root, did, expires === undefined ? undefined : clock.now() + period)
  return await pairing.invite({
    lasts: period,
    uses: only?.length ?? 1,
    content: root.toString(),
    ...(only === undefined ? {} : { only })
  })
}

/** @throws KithError NOT_FOUND if it is not recorded here · INVALID_PARAMS for a path */
function rootOf(library: Library, content: ContentParam): CID {
  const ref = parseContent(content)
  if (ref.path.length > 0) throw new KithError('INVALID_PARAMS', 'whole contents are shared: name the root without a path')
  const found = library.find(ref)
  if (found === undefined)
    throw new KithError('NOT_FOUND', 'this content is not recorded here, so it cannot be shared. Put it first, or get it (kith get)')
  return found.record.root
}

/** A peer as a person names it. @throws KithError INVALID_PARAMS */
function nodeDid(text: string): string {
  if (!text.startsWith('did:')) return didFromPeerId(text)
  publicKeyFromDid(text)
  return text
}

/** @throws KithError INVALID_PARAMS */
function lasts(expires: string | undefined, otherwise: Ms): Ms {
  if (expires === undefined) return otherwise
  const ms = parseDuration(expires)
  if (ms !== undefined && ms > 0 && ms <= LASTS_MAX) return ms
  throw new KithError(
    'INVALID_PARAMS',
    `the parameter "expires" is a duration such as 24h or 7d, at most 366d, and not "${expires.slice(0, 40)}"`,
    {
      parameter: 'expires'
    }
  )
}
