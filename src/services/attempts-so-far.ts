/** Whom a call had asked when its time was used up: what TIMEOUT tells the caller, whoever set the limit. */
import { KithError, toKithError } from '../errors.ts'
import type { Attempt } from '../model/source.ts'
import { howFar } from '../retrieval/how-far.ts'

/** Told of each search that a call begins. */
export interface SearchWatch {
  readonly onSearch?: (attempts: () => readonly Attempt[]) => void
}

export class AttemptsSoFar {
  readonly #searches: (() => readonly Attempt[])[] = []

  readonly onSearch = (attempts: () => readonly Attempt[]): void => {
    this.#searches.push(attempts)
  }

  /** A TIMEOUT that does not say who was asked, with that; every other error as it is. */
  addTo(error: unknown): unknown {
    const { code, message, data } = toKithError(error)
    if (code !== 'TIMEOUT' || Array.isArray(data['attempts'])) return error
    const attempts = this.#searches.flatMap(soFar => soFar())
    return new KithError('TIMEOUT', message, { ...data, attempts, asked: howFar(attempts).asked }, { cause: error })
  }
}
