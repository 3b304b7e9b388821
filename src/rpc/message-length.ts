/** How long a message may be, a line or the body of `POST /rpc`: it depends on who sends it. */
import { KithError } from '../errors.ts'
import { KIB, MIB } from '../model/units.ts'
import type { Bytes } from '../model/units.ts'
import type { Caller } from './access.ts'

/** Longest message: 4 MiB of content as base64, with room to spare; anything larger is an HTTP body. Bytes. */
export const MESSAGE_BYTES_MAX = 8 * MIB
/** Longest message of who has not logged in: a login with the longest token has one and a half KiB. Bytes. */
const LOGIN_BYTES_MAX = 16 * KIB

export function messageBytesMax({ scopes }: Pick<Caller, 'scopes'>): Bytes {
  return scopes.size === 0 ? LOGIN_BYTES_MAX : MESSAGE_BYTES_MAX
}

/** UNAUTHORIZED for who could send it after a login, else TOO_LARGE. */
export function tooLong({ scopes }: Pick<Caller, 'scopes'>): KithError {
  if (scopes.size > 0)
    return new KithError(
      'TOO_LARGE',
      `a message is longer than ${MESSAGE_BYTES_MAX} bytes. Send large content with PUT /content over the same socket.`,
      { limit: MESSAGE_BYTES_MAX }
    )
  return new KithError(
    'UNAUTHORIZED',
    `a message is longer than the ${LOGIN_BYTES_MAX} bytes that are read before a login. Log in first, with a token that is known and has not expired.`,
    { limit: LOGIN_BYTES_MAX }
  )
}
