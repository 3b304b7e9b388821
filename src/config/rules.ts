/** What must hold between keys of the configuration, and what is odd; each key alone is checked by its own parser. */
import { KithError } from '../errors.ts'
import type { Config } from './schema.ts'

/** What works, and not as its author may think. */
export interface ConfigWarning {
  readonly message: string
  readonly keys: readonly string[]
}

/** @throws KithError CONFIG naming the keys */
export function checkTogether({ ipfs, retry, access }: Config): void {
  if ((ipfs.projectId === null) !== (ipfs.projectSecret === null))
    throw conflict(
      ipfs.projectId === null ? 'ipfs.projectSecret' : 'ipfs.projectId',
      'ipfs.projectId and ipfs.projectSecret go together: set both or none'
    )
  if (ipfs.type === 'kubo' && ipfs.api.length === 0)
    throw conflict('ipfs.api', 'ipfs.api: ipfs.type is kubo, and no node is named. Write one, such as /ip4/127.0.0.1/tcp/5001')
  if (retry.max < retry.base) throw conflict('retry.max', 'retry.max is shorter than retry.base, the first wait')
  if (access.socket === 'token' && access.tokens.length === 0)
    throw conflict(
      'access.tokens',
      'access.tokens: access.socket is token, and there is none, so nobody could log in. Make one with: kith config token NAME admin'
    )
}

/** What is allowed, and lets in more than its author may think. */
export function openDoors({ trust }: Config): ConfigWarning[] {
  return isEverybodyTrusted(trust) ? [{ message: EVERYBODY_TRUSTED, keys: ['trust.default', 'trust.minTrusted'] }] : []
}

/** Whoever connects has the level of strangers, and that is enough for what is private. */
export function isEverybodyTrusted(trust: Config['trust']): boolean {
  return trust.default >= trust.minTrusted
}

const EVERYBODY_TRUSTED =
  'whoever connects to this node may have everything private on it: the access of strangers is not below the access from which on a peer is trusted with what is private'

function conflict(key: string, message: string): KithError {
  return new KithError('CONFIG', message, { key })
}
