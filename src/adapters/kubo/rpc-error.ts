/** What Kubo's answers mean when they are no success. Pure. */
import { SourceError } from '../../ports/block-source.ts'

/** Characters of Kubo's own text passed on. */
const MESSAGE_CHARS_MAX = 200
/** Kubo has one status, 500, for everything; these of its texts say that a search ended without a find. */
const NOTHING_FOUND = /not found|could not find|no providers found|context deadline exceeded|deadline has elapsed|request timed out/i

/** @param message what Kubo says, if it says anything */
export function statusError(status: number, message: string): SourceError {
  const said = message === '' ? '' : `: ${printable(message)}`
  if (status === 401 || status === 403)
    return new SourceError('refused', `Kubo refuses the access (HTTP ${status}); check ipfs.projectId and ipfs.projectSecret`)
  if (status >= 300 && status < 400)
    return new SourceError('refused', `Kubo's endpoint redirects (HTTP ${status}), which is not followed; configure where it leads`)
  if (status === 404 || status === 405)
    return new SourceError('fault', `there is no Kubo RPC at this address (HTTP ${status}); its gateway has another port`)
  if (status < 500) return new SourceError('refused', `Kubo refuses (HTTP ${status})${said}`)
  if (NOTHING_FOUND.test(message)) return new SourceError('not-found', `Kubo did not find it${said}`)
  return new SourceError('fault', `Kubo answers HTTP ${status}${said}`)
}

/** Any error of a request as one that says what it means for the endpoint. */
export function asSourceError(error: unknown): SourceError {
  if (error instanceof SourceError) return error
  const cause = error instanceof Error ? error : new Error(String(error))
  return new SourceError('fault', `the connection to Kubo failed: ${printable(cause.message || cause.name)}`, { cause: error })
}

/** The text in Kubo's JSON errors, or the text itself. */
export function messageOf(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null && 'Message' in parsed && typeof parsed.Message === 'string') return parsed.Message
  } catch {
    // no JSON: a proxy in front, or not Kubo at all
  }
  return body
}

function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, MESSAGE_CHARS_MAX)
    .trim()
}
