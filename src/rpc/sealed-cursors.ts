/**
 * Cursors for callers who see a part only: the store's own name contents, so they travel sealed. They last as long as
 * the daemon runs.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { KithError } from '../errors.ts'

const CIPHER = 'aes-256-gcm'
/** Lengths that AES-GCM prescribes. Bytes. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class SealedCursors {
  readonly #key = randomBytes(32)

  seal(cursor: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce)
    const body = Buffer.concat([cipher.update(cursor, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')
  }

  /** @throws KithError INVALID_PARAMS for anything {@link seal} did not give */
  open(sealed: string): string {
    try {
      const bytes = Buffer.from(sealed, 'base64url')
      const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8')
    } catch (error) {
      const message = 'the cursor is not one this method gave (they last until the daemon is started again); begin again without it'
      throw new KithError('INVALID_PARAMS', message, { parameter: 'cursor' }, { cause: error })
    }
  }
}
