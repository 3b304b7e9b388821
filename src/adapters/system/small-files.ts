/**
 * Two small facts of a home that must survive: the number of the last advert, and the secret under which removed
 * private content is remembered. Both are durable before they are used.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { KithError } from '../../errors.ts'
import { readSmallFile, UnfitFileError } from '../../lib/small-file.ts'
import { createFile, errorCode, replaceFile } from './files.ts'

/** Length of the secret: that of the HMAC's hash. Bytes. */
const SECRET_BYTES = 32
/** Digits of a number and the end of the line. Bytes. */
const SEQUENCE_FILE_BYTES_MAX = 64

export interface SequenceFile {
  load(): number | undefined
  save(seq: number): Promise<void>
}

/** HOME/state/advert-seq. A lost file is harmless: numbers begin at the time of day. */
export async function openSequenceFile(home: string): Promise<SequenceFile> {
  const file = join(home, 'state', 'advert-seq')
  const text = await readSmallFile(file, SEQUENCE_FILE_BYTES_MAX).then(String, () => '')
  const stored = Number(text.trim())
  let last = text !== '' && Number.isSafeInteger(stored) ? stored : undefined
  return {
    load: () => last,
    save: async seq => {
      await replaceFile(file, Buffer.from(`${seq}\n`))
      last = seq
    }
  }
}

/** HMAC-SHA-256 under HOME/keys/remember.key, made at the first start. */
export async function openKeyedDigest(home: string): Promise<(bytes: Uint8Array) => Uint8Array> {
  const file = join(home, 'keys', 'remember.key')
  const secret = await readSecret(file)
  return bytes => createHmac('sha256', secret).update(bytes).digest()
}

async function readSecret(file: string): Promise<Uint8Array> {
  try {
    const secret = await readSmallFile(file, SECRET_BYTES)
    if (secret.byteLength === SECRET_BYTES) return secret
    throw damaged(file)
  } catch (error) {
    if (error instanceof UnfitFileError) throw damaged(file)
    if (errorCode(error) !== 'ENOENT') throw error
  }
  const secret = randomBytes(SECRET_BYTES)
  await createFile(file, secret)
  return secret
}

function damaged(file: string): KithError {
  return new KithError(
    'START_FAILED',
    `${file} is damaged. Bring it back from a copy; without it this node no longer knows which addresses were private`,
    { file }
  )
}
