/**
 * Assertions that peers hand over: kinds `assert` and `revoke` of the control channel. Nothing is verified, let alone
 * kept, of one whose word does not count here. Keeps nothing on disk.
 */
import { KithError } from '../errors.ts'
import { KeyedBuckets } from '../lib/keyed-buckets.ts'
import type { Clock } from '../ports/clock.ts'
import type { Control, ControlValue } from '../ports/control.ts'
import type { Identity } from '../ports/identity.ts'
import type { Standing } from '../ports/standing.ts'
import { ASSERTION_CHARACTERS_MAX, readAssertionClaims, verifyAssertion } from './assertion-claims.ts'
import { SUBJECTS_MAX, type AssertionBook, type IssuerStanding } from './assertions.ts'
import { didFromPeerId } from './did-key.ts'
import { JwtError, readUnverifiedJwt } from './jwt.ts'

/** Signatures looked at, of one issuer: all it may say at once, then one a second. Each takes a third of a millisecond of event loop. */
const SIGNATURES = { capacity: SUBJECTS_MAX, perSecond: 1, keysMax: 1024 }

export interface AssertionIntakeComponents {
  readonly clock: Clock
  readonly identity: Identity
  readonly book: AssertionBook
  readonly standing: Pick<Standing, 'report'> & { issuerStanding(peer: string): IssuerStanding | undefined }
}

/** To be called before the host listens. */
export function takeAssertions(parts: AssertionIntakeComponents, control: Pick<Control, 'handle'>): void {
  const rates = new KeyedBuckets(parts, SIGNATURES)
  for (const kind of ['assert', 'revoke'])
    control.handle(kind, async (peer, body) => await take({ ...parts, rates }, peer, body).catch(asAnswer))
}

async function take(
  parts: AssertionIntakeComponents & { readonly rates: KeyedBuckets },
  peer: string,
  body: ControlValue
): Promise<ControlValue> {
  const { clock, identity, book, standing, rates } = parts
  const rank = standing.issuerStanding(peer)
  if (rank === undefined)
    throw new KithError('UNAUTHORIZED', 'this node does not ask for your word: its operator has given you no trust level')
  const jwt = jwtOf(body)
  const issuer = didFromPeerId(peer)
  const unverified = readUnverifiedJwt(jwt, ASSERTION_CHARACTERS_MAX)
  if (unverified.iss !== issuer) {
    standing.report(peer, 'protocol-violation')
    throw new KithError('UNAUTHORIZED', 'the assertion is signed by another than the one who sent it')
  }
  // What says nothing new is not worth the price of a signature.
  if (!book.isNews(readAssertionClaims(unverified, identity.did))) return { taken: false }
  if (!rates.take(peer)) throw new KithError('RATE_LIMITED', 'too many assertions at once; the rest is taken later')
  const assertion = await verifyAssertion(jwt, { reader: identity.did, issuer, now: Math.floor(clock.now() / 1000) })
  await book.put(assertion, rank)
  return { taken: true }
}

/** Integrity is for bytes; the one who asked is told what is wrong with the question. */
function asAnswer(error: unknown): never {
  if (error instanceof JwtError) throw new KithError('INVALID_PARAMS', error.message, {}, { cause: error })
  throw error
}

function jwtOf(body: ControlValue): string {
  const jwt: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'jwt') : undefined
  if (typeof jwt === 'string') return jwt
  throw new KithError('INVALID_PARAMS', 'an assertion comes as {jwt: TEXT}')
}
