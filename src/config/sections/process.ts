/** The configuration of the daemon itself: who may call it, where it listens, what it says. */
import { parseHostPort } from '../addresses.ts'
import { BadValueError, count, duration, flag, formOf, oneOf, path, wordOr, type Key } from '../key.ts'
import { tokens } from '../tokens.ts'

/** Calls allowed: `burst` at once, `perMinute` in the long run. Infinity: as many as come. */
export interface RateLimit {
  readonly perMinute: number
  readonly burst: number
}

/** Of a rate without one. */
const BURST_DEFAULT = 10

export const ACCESS = {
  socket: oneOf(['admin', 'token'], {
    doc: 'Who may do what on the socket: `admin`: whoever can open it is the operator; `token`: only who logs in with one of `access.tokens`.'
  }),
  tokens: tokens({
    doc: 'Who may log in, and for what; `kith config token NAME SCOPES` makes one. `sha256` is that of the token in hex; scopes are read, write, pin, peers, swarm, admin.'
  })
} as const

export const HTTP = {
  listen: wordOr(
    'off',
    formOf(
      'HOST:PORT',
      { doc: 'Where HTTP is served. The listener comes later: it is `off` until then, whatever is said here.', default: 'off' },
      parseHostPort
    )
  ),
  gateway: flag({ doc: 'Serve `/ipfs` there.', default: true }),
  metrics: flag({ doc: 'Serve `/metrics` there.', default: true }),
  rateLimit: rateLimit({ doc: 'Calls a minute and at once, of each token or address. 0: as many as come.', default: '60/min, burst 10' }),
  gatewayConcurrency: count({ doc: 'Answers of the gateway at once.', default: 256, min: 1, max: 100_000 })
} as const

export const RETRY = {
  attempts: count({ doc: 'How often a call to Kubo or a gateway is tried in all.', default: 3, min: 1, max: 10 }),
  base: duration({ doc: 'Wait before the second attempt; it doubles with each. 0: none.', default: '1s' }),
  max: duration({ doc: 'Longest wait between two attempts.', default: '60s' })
} as const

export const LOG = {
  level: oneOf(['info', 'trace', 'debug', 'warn', 'error', 'silent'], { doc: 'The least important messages shown.' }),
  format: oneOf(['pretty', 'json'], { doc: 'One line for people, or one JSON object a line.' })
} as const

export const API = {
  socket: path({ doc: 'Where the socket is, if not `api.sock` in the home; relative to the home. At most 103 bytes.' })
} as const

function rateLimit(facts: { readonly doc: string; readonly default: unknown }): Key<RateLimit> {
  return formOf('N/min, burst N', facts, written => {
    if (written === 0) return { perMinute: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY }
    const [, perMinute, burst] = (typeof written === 'string' && /^(\d{1,9})\/min(?:, ?burst (\d{1,9}))?$/.exec(written)) || []
    if (perMinute === undefined) throw new BadValueError('is not a rate of calls. Write it as 60/min, burst 10; 0 means unlimited')
    return { perMinute: Number(perMinute), burst: burst === undefined ? BURST_DEFAULT : Number(burst) }
  })
}
