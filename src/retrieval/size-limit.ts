/** `limits.maxFileSize` while a DAG comes together: what its nodes declare and what has come are both held against it. */
import { KithError } from '../errors.ts'
import type { Bytes } from '../model/units.ts'

export class SizeLimit {
  readonly #maxBytes: Bytes
  /** Content bytes that came: links below directories may claim less than they lead to. */
  #seen: Bytes = 0

  /** @param maxBytes 0: unlimited */
  constructor(maxBytes: Bytes) {
    this.#maxBytes = maxBytes === 0 ? Infinity : maxBytes
  }

  /** The nodes so far claim this much. @throws TOO_LARGE */
  declared(size: Bytes): void {
    const limit = this.#maxBytes
    if (size > limit)
      throw new KithError('TOO_LARGE', `the content has ${size} bytes or more, beyond limits.maxFileSize (${limit} bytes)`, { limit, size })
  }

  /** A leaf came. @throws TOO_LARGE */
  took(bytes: Bytes): void {
    this.#seen += bytes
    this.declared(this.#seen)
  }
}
