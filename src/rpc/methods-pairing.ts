/** The methods `peers.invite`, `peers.uninvite`, `peers.join` and `content.share`. */
import { z } from 'zod'
import { method } from './method.ts'
import { content, peerName } from './schemas.ts'

/** One ticket for a whole class, say; each use is written down. */
const USES_MAX = 1_000
/** DIDs one content is shared with in one call. */
const SHARED_WITH_MAX = 100
/** Twice the longest ticket: line breaks of a mail do not count. Characters. */
const TICKET_CHARACTERS_MAX = 4_096

const ticket = z
  .string()
  .min(1)
  .max(TICKET_CHARACTERS_MAX)
  .describe('kith:… as peers.invite or content.share made it; case and white space do not count')
const level = z.int().min(0).max(100)
const expires = z.string().max(40).describe('a duration such as 24h or 7d, at most 366d')
const shown = z.object({
  ticket: z.string(),
  qr: z.string().describe('the ticket as a QR code for a terminal, light on dark'),
  expires: z.iso.datetime()
})

export const pairingMethods = {
  'peers.invite': method({
    access: 'peers',
    doc: 'Makes a ticket: whoever joins with it gets the level it says; with a content and no level, that content alone.',
    params: {
      level: level.min(1).exactOptional().describe('what the bearer gets, 1–100; default 80, or none with a content'),
      expires: expires.exactOptional().describe('how long the ticket is worth something, such as 24h (default)'),
      uses: z.int().min(1).max(USES_MAX).exactOptional().describe('how many may use it; default 1'),
      device: z.boolean().exactOptional().describe('the bearer is the same person’s: level 100 both ways, unless it declines'),
      swarm: peerName.exactOptional(),
      content: content.exactOptional().describe('a content recorded here that the bearer may have'),
      name: peerName.exactOptional().describe('what this node will call the bearer')
    },
    notBuilt: ['swarm'],
    result: shown,
    run: async ({ pairing }, params) => await pairing.invite(params)
  }),
  'peers.uninvite': method({
    access: 'peers',
    doc: 'Takes back a ticket that was made here; what was granted by it stays (trust.revoke, trust.block, content.rm).',
    params: { ticket },
    result: z.object({ revoked: z.boolean() }),
    run: async ({ pairing }, params) => await pairing.uninvite(params.ticket)
  }),
  'peers.join': method({
    access: 'peers',
    doc: 'Redeems a ticket: dials its maker, both prove that they know its secret, and each gives the other a level. Levels are raised, never lowered.',
    params: {
      ticket,
      level: level
        .exactOptional()
        .describe('what the maker of the ticket gets here, 0–100; default 50, or 100 for an own device; 0: nothing'),
      device: z
        .boolean()
        .exactOptional()
        .describe(
          'whether the maker of the ticket is the same person’s, level 100 both ways; absent: as the ticket says, unless a level is named'
        )
    },
    result: z.object({
      did: z.string(),
      peerId: z.string(),
      via: z.enum(['direct', 'relayed']),
      access: z.number().describe('of the maker of the ticket, here, 0–10'),
      granted: z
        .number()
        .optional()
        .describe(
          'level of this node at the maker of the ticket by it, 0–100; 0: it was taken back since; absent: the ticket gives none, or its maker does not say'
        ),
      device: z.enum(['agreed', 'offered']).optional().describe('the ticket is for an own device: whether both sides said so'),
      swarm: z.string().optional(),
      content: z.string().optional().describe('address of the content it gives')
    }),
    run: async ({ pairing }, params, { signal }) => await pairing.join(params, { signal })
  }),
  'content.share': method({
    access: 'admin',
    doc: 'Gives one content to chosen peers, or to the first who comes with the ticket, and nothing else. Ends with content.rm, trust.block or its time.',
    params: {
      content,
      to: z
        .array(z.string().min(1).max(255))
        .max(SHARED_WITH_MAX)
        .exactOptional()
        .describe('DIDs or PeerIds that may have it from now on, and alone may use the ticket'),
      expires: expires.exactOptional().describe('how long; default: the ticket 7d, for those named in "to" without end')
    },
    result: shown,
    run: async ({ pairing }, params) => await pairing.share(params)
  })
}
